// Upgrades of markup that already works: flashes, dialogs, menus, copying, ages of times, failures of htmx.

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

const OPEN = "details:is(.menu, .formula)[open]";

function closeMenus(except) {
  for (const open of document.querySelectorAll(OPEN)) {
    if (!open.contains(except)) open.open = false;
  }
}

addEventListener("click", (event) => {
  const target = event.target.closest("button, a, summary");
  closeMenus(event.target);
  if (!target) return;
  if (target.matches("[data-dismiss]")) dismiss(target);
  if (target.matches("[data-copy]")) copy(target);
  if (target.matches("[command='show-modal']")) openDialog(target);
});

addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.activeElement?.closest(OPEN);
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// <time data-relative datetime="…">: says how long ago, in the page's language.
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });

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
  region.append(template.content.cloneNode(true));
  reveal(region);
}

addEventListener("htmx:sendError", flashFailure);
addEventListener("htmx:responseError", flashFailure);
addEventListener("htmx:load", ({ detail: { elt } }) => {
  reveal(elt);
  age(elt);
});
addEventListener("htmx:beforeRequest", ({ detail }) => detail.target?.setAttribute("aria-busy", "true"));
addEventListener("htmx:afterRequest", ({ detail }) => {
  if (!detail.requestConfig.elt.matches("[hx-trigger^=every]")) detail.target?.removeAttribute("aria-busy");
  if (detail.successful) document.querySelector("[data-failure]")?.remove();
});

setInterval(() => document.hidden || age(document), 60_000);
document.querySelector(".error-summary[autofocus]")?.focus();
