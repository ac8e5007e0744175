// A file input inside [data-drop] becomes a place to drop a file on; without this it stays a file input.

function upgrade(root) {
  const areas = root.matches?.("[data-drop]") ? [root] : root.querySelectorAll("[data-drop]");
  for (const area of areas) {
    area.dataset.ready = "";
    area.querySelector("[data-drop-hint]").hidden = false;
  }
}

function areaOf(event) {
  return event.target.closest?.("[data-drop]");
}

document.addEventListener("dragover", (event) => {
  const area = areaOf(event);
  if (!area) return;
  event.preventDefault();
  area.dataset.over = "";
});

document.addEventListener("dragleave", (event) => {
  const area = areaOf(event);
  if (area && !area.contains(event.relatedTarget)) delete area.dataset.over;
});

document.addEventListener("drop", (event) => {
  const area = areaOf(event);
  if (!area) return;
  event.preventDefault();
  delete area.dataset.over;
  const input = area.querySelector("input[type=file]");
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});

document.addEventListener("htmx:load", (event) => upgrade(event.detail.elt));
upgrade(document);
