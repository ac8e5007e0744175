// Upgrades of markup that already works: flashes, dialogs, menus, copying, ages of times, failures of htmx.

const SLOW = 60_000;

function reveal(root) {
  for (const button of root.querySelectorAll("[data-dismiss], [data-copy]")) button.hidden = false;
}

// Flashes go when dismissed; the focus moves to the page and isn't lost.
function dismiss(button) {
  button.closest(".flash")?.remove();
  document.getElementById("main")?.focus({ preventScroll: true });
}

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  button.dataset.copied = "";
  setTimeout(() => delete button.dataset.copied, 1500);
}

// Browsers without command="show-modal".
function openDialog(button) {
  if ("commandForElement" in HTMLButtonElement.prototype) return;
  document.getElementById(button.getAttribute("commandfor"))?.showModal();
}

function closeMenus(except) {
  for (const open of document.querySelectorAll("details.menu[open], details.formula[open]")) {
    if (!open.contains(except)) open.open = false;
  }
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("button, a, summary");
  closeMenus(event.target);
  if (!target) return;
  if (target.matches("[data-dismiss]")) dismiss(target);
  if (target.matches("[data-copy]")) copy(target);
  if (target.matches("[command='show-modal']")) openDialog(target);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.activeElement?.closest("details.menu[open], details.formula[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// <time data-relative datetime="…">: says how long ago, in the page's language.
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
const words = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" });

function age(root) {
  for (const time of root.querySelectorAll("time[data-relative]")) {
    const seconds = Math.round((Date.parse(time.dateTime) - Date.now()) / 1000);
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
    time.title ||= time.textContent;
    time.textContent = words.format(Math.trunc(seconds / size), unit);
  }
}

function flashFailure() {
  const region = document.getElementById("flashes");
  const template = document.getElementById("failure-flash");
  if (!region || !template || region.querySelector("[data-failure]")) return;
  const flash = template.content.cloneNode(true);
  flash.querySelector(".flash").dataset.failure = "";
  reveal(flash);
  region.append(flash);
}

document.addEventListener("htmx:sendError", flashFailure);
document.addEventListener("htmx:responseError", flashFailure);
document.addEventListener("htmx:load", (event) => {
  reveal(event.detail.elt);
  age(event.detail.elt);
});
document.addEventListener("htmx:beforeRequest", (event) => event.detail.target?.setAttribute("aria-busy", "true"));
document.addEventListener("htmx:afterRequest", (event) => {
  event.detail.target?.removeAttribute("aria-busy");
  if (event.detail.successful) document.querySelector("[data-failure]")?.remove();
});

reveal(document);
age(document);
setInterval(() => document.hidden || age(document), SLOW);
document.querySelector(".error-summary[autofocus]")?.focus();
