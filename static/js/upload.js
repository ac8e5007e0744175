// A file input in [data-drop] takes dropped files; a large file of [data-parts] goes in parts before its form.

const PART = 4 << 20;

function upgrade(root) {
  const areas = root.matches?.("[data-drop]") ? [root] : root.querySelectorAll("[data-drop]");
  for (const area of areas) {
    area.dataset.ready = "";
    area.querySelector("[data-drop-hint]").hidden = false;
  }
}

for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    const area = event.target.closest?.("[data-drop]");
    if (!area) return;
    event.preventDefault();
    if (kind === "dragover") area.dataset.over = "";
    else delete area.dataset.over;
    if (kind === "drop") area.querySelector("input").files = event.dataTransfer.files;
  });
}

// The same file has the same key, so a broken upload goes on where it stopped.
async function keyOf({ name, size, lastModified }) {
  const text = new TextEncoder().encode([name, size, lastModified]);
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", text)).slice(0, 16);
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

async function send({ elements }, input, file) {
  const key = await keyOf(file);
  const url = `${input.dataset.parts}${key}/`;
  const headers = { "X-CSRFToken": elements.csrfmiddlewaretoken.value };
  const bar = document.createElement("progress");
  bar.max = file.size;
  input.after(bar);
  let { size } = await (await fetch(url)).json();
  for (let tries = 0; size < file.size && tries < 8; tries++) {
    bar.value = size;
    const body = file.slice(size, size + PART);
    const answer = await fetch(`${url}?at=${size}`, { method: "POST", headers, body }).catch(() => 0);
    if (answer.ok) [{ size }, tries] = [await answer.json(), -1];
    else {
      await new Promise((done) => setTimeout(done, 500 << tries));
      await fetch(url).then(async (now) => ({ size } = await now.json())).catch(() => 0);
    }
  }
  if (size < file.size) return; // the plain form is still there
  elements.upload.value = key;
  elements.upload_name.value = file.name;
  input.value = "";
}

document.addEventListener("submit", async (event) => {
  const input = event.target.querySelector("[data-parts]");
  const file = input?.files[0];
  if (!(file?.size > PART) || !crypto.subtle) return;
  event.preventDefault();
  await send(event.target, input, file).catch(() => 0);
  event.target.submit();
});

document.addEventListener("htmx:load", (event) => upgrade(event.detail.elt));
upgrade(document);
