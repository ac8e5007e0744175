// Live pages: the socket's changes go in gently, polling rests while it is open, clocks tick in between.

const root = document.documentElement;
const SIGNED_OUT = [4401, 4403];
let socket;
let isPressed = false;
let missed = false;

document.addEventListener("htmx:wsOpen", (event) => {
  socket = event.detail.socketWrapper;
  root.dataset.live = "open";
});

document.addEventListener("htmx:wsClose", (event) => {
  delete root.dataset.live;
  if (!SIGNED_OUT.includes(event.detail.event.code)) return;
  const flash = document.getElementById("signed-out-flash");
  document.getElementById("flashes")?.append(flash.content.cloneNode(true));
});

// An open socket tells of every change: what polls asks for nothing meanwhile.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (!root.dataset.live || !event.detail.elt.matches("[data-poll]")) return;
  event.preventDefault();
  event.stopPropagation();
}, { capture: true });

// Nothing is replaced under a pressed pointer (its click would be lost), around an open explanation,
// or before the answer to what was just sent from there.
function again() {
  if (missed && !isPressed) socket?.send("again");
  missed = missed && isPressed;
}

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const asked = detail.requestConfig?.elt;
  if (isPressed && asked?.matches("[hx-trigger^=every]")) detail.shouldSwap = false;
  if (asked?.matches("[data-part]:has(details[open])")) detail.shouldSwap = false;
});

addEventListener("pointerdown", () => { isPressed = true; }, { capture: true });
for (const name of ["pointerup", "pointercancel"]) {
  addEventListener(name, () => { isPressed = false; setTimeout(again); }, { capture: true });
}
document.addEventListener("toggle", () => setTimeout(again), { capture: true });
// The server doesn't know what an answer put here: it would send nothing if all is as before.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.elt.matches("[data-part]")) return; // no push
  missed = true;
  setTimeout(again);
}, { capture: true });

// The focus stays on the element of the same id.
let focused;
document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  const { target } = detail;
  if (target.querySelector("audio")?.currentTime) {
    detail.shouldSwap = false; // somebody listens
  } else if (isPressed || target.querySelector("details[open]") || target.closest("[aria-busy]")) {
    detail.shouldSwap = false;
    missed = true;
  } else if (target.contains(document.activeElement)) {
    focused = document.activeElement.id;
  }
});
document.addEventListener("htmx:oobAfterSwap", () => {
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  focused = undefined;
});

// <span data-talk="74" data-rate="1">: counts on, as fast as the clock of calls; with data-until minutes, up or down.
const started = new WeakMap();
const minutes = new Intl.NumberFormat(root.lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
setInterval(() => {
  if (document.hidden) return;
  for (const span of document.querySelectorAll("[data-talk]")) {
    if (!started.has(span)) started.set(span, performance.now());
    const { talk, rate, until } = span.dataset;
    if (until && !root.dataset.live) continue; // no end is told
    const seconds = Math.floor(+talk + rate * (performance.now() - started.get(span)) / 1000);
    span.textContent = until
      ? minutes.format((rate < 0 ? Math.max : Math.min)(seconds, until) / 60)
      : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}, 1000);

// Those who listen hear another state at once, else a summary now and then.
const text = (name) => [...document.querySelectorAll(name)]
  .map((one) => one.textContent.trim().replace(/\s+/g, " ")).join(" ");
const [STATE, SUMMARY] = ["[data-announce=now]", "[data-announce='']"];
let told = text(SUMMARY);
let state = text(STATE);

function announce() {
  const region = document.getElementById("announcement");
  const summary = text(SUMMARY);
  state = text(STATE);
  if (region && summary !== told) region.textContent = told = summary;
}

setInterval(announce, 30_000);
for (const name of ["htmx:oobAfterSwap", "htmx:afterSwap"]) {
  document.addEventListener(name, () => text(STATE) === state || announce());
}
