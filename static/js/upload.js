// [data-drop] takes dropped files; a file of [data-parts] goes in megabytes, then its form.

for (const kind of ["dragover", "dragleave", "drop"]) {
  addEventListener(kind, (event) => {
    const area = event.target.closest?.("[data-drop]");
    if (!area) return;
    event.preventDefault();
    area.toggleAttribute("data-over", kind === "dragover");
    if (kind === "drop") area.querySelector("input").files = event.dataTransfer.files;
  });
}

// The same file, the same key: a broken upload goes on.
async function keyOf({ name, size, lastModified }) {
  const text = new TextEncoder().encode([name, size, lastModified]);
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", text)).slice(0, 16);
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// Returns a sentence if the file can't go.
async function send(input, file, bar, bytes, note) {
  const { parts, most, large, broken, stopped } = input.dataset;
  if (file.size > most) return large;
  const key = await keyOf(file);
  const url = `${parts}${key}/`;
  const headers = { "X-CSRFToken": input.form.csrfmiddlewaretoken.value };
  let { size } = await (await fetch(url)).json();
  bar.max = file.size;
  for (let tries = 0; size < file.size; tries++) {
    if (tries > 7) return stopped;
    bar.value = size;
    bytes.textContent = `${(size / 1e6).toFixed(1)} / ${(file.size / 1e6).toFixed(1)} MB`;
    const body = file.slice(size, size + 2 ** 20);
    const answer = await fetch(`${url}?at=${size}`, { method: "POST", headers, body }).catch(() => 0);
    const told = (await answer.json?.().catch(() => 0)) ?? 0;
    if (answer.status === 413) return told.detail ?? large;
    const goesOn = told.size > size;
    note.textContent = goesOn ? "" : broken;
    if (goesOn) tries = -1;
    else await new Promise((done) => setTimeout(done, 500 << tries));
    size = told.size ?? size;
  }
  input.form.upload.value = key;
  input.form.upload_name.value = file.name;
  input.value = "";
}

addEventListener("submit", async (event) => {
  const input = event.target.querySelector("[data-parts]");
  const file = input?.files[0];
  if (!file || !crypto.subtle) return;
  event.preventDefault();
  const [bar, bytes, note] = input.parentNode.querySelectorAll("progress, progress ~ *");
  if (!bar.hidden) return;
  bar.hidden = false;
  note.textContent = await send(input, file, bar, bytes, note).catch(() => {});
  if (!note.textContent) return input.form.submit();
  bar.hidden = true;
  bytes.textContent = "";
});
