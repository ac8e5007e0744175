// Live pages: the socket's changes go in gently, polling rests while it is open, clocks tick in between.

const root = document.documentElement;
let socket;
let isPressed = false;
let missed = false;

addEventListener("htmx:wsOpen", (event) => {
  socket = event.detail.socketWrapper;
  root.dataset.live = "open";
});

addEventListener("htmx:wsClose", (event) => {
  delete root.dataset.live;
  if (![4401, 4403].includes(event.detail.event.code)) return;
  const flash = document.getElementById("signed-out-flash");
  document.getElementById("flashes")?.append(flash.content.cloneNode(true));
});

// An open socket tells when to ask: polls rest meanwhile.
const isPoll = (elt) => elt.matches("[hx-trigger^=every]");
addEventListener("htmx:beforeRequest", (event) => {
  const { elt, requestConfig } = event.detail;
  if (!isPoll(elt)) return;
  event.stopPropagation();
  if (root.dataset.live && elt.matches("[data-poll]") && !requestConfig.triggeringEvent) event.preventDefault();
}, true);

function again() {
  if (isPressed) return;
  if (missed) socket?.send("again");
  missed = false;
}

// Nothing is replaced under a pressed pointer, around an open explanation, or before an answer.
const isHeld = (part) => isPressed || part.querySelector("details[open]") || part.closest("[aria-busy]");

let left; // where a wide table stands, which stays
addEventListener("htmx:beforeSwap", ({ detail }) => {
  const asked = detail.requestConfig.elt;
  left = detail.target.querySelector(".table-scroll")?.scrollLeft;
  if (isPoll(asked) && isHeld(detail.target)) missed = !(detail.shouldSwap = false);
  if (asked.matches("[data-part]:has(details[open])")) detail.shouldSwap = false;
});
addEventListener("htmx:afterSwap", ({ detail: { elt } }) => elt.querySelector?.(".table-scroll")?.scrollTo({ left }));

addEventListener("pointerdown", () => { isPressed = true; }, true);
for (const name of ["pointerup", "pointercancel"]) {
  addEventListener(name, () => { isPressed = false; setTimeout(again); }, true);
}
addEventListener("toggle", () => setTimeout(again), true);
// The server doesn't know what an answer put here.
addEventListener("htmx:afterRequest", ({ detail: { requestConfig: { elt, triggeringEvent } } }) => {
  if (elt.matches("[data-part]") || (isPoll(elt) && triggeringEvent)) return;
  missed = true;
  setTimeout(again);
}, true);

// The focus stays on the element of the same id.
let focused;
addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  const { target } = detail;
  if (target.querySelector("audio")?.currentTime) {
    detail.shouldSwap = false;
  } else if (isHeld(target)) {
    missed = !(detail.shouldSwap = false);
  } else if (target.contains(document.activeElement)) {
    focused = document.activeElement.id;
  }
});
addEventListener("htmx:oobAfterSwap", () => {
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
  addEventListener(name, () => text(STATE) === state || announce());
}
