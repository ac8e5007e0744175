// Live pages: the socket's changes go in gently, polling rests while it is open, clocks tick in between.

const root = document.documentElement;
const AFRESH = 30_000;
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

// An open socket tells of every change: what asks by itself asks for nothing meanwhile.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (!root.dataset.live || !event.detail.elt.matches("[data-poll]")) return;
  event.preventDefault();
  event.stopPropagation();
}, { capture: true });

// Nothing is replaced under a pressed pointer (its click would be lost), around an open explanation,
// or before the answer to what somebody just sent from there.
function again() {
  if (missed && !isPressed) socket?.send("again");
  missed = missed && isPressed;
}

addEventListener("pointerdown", () => { isPressed = true; }, { capture: true });
for (const name of ["pointerup", "pointercancel"]) {
  addEventListener(name, () => { isPressed = false; setTimeout(again); }, { capture: true });
}
document.addEventListener("toggle", () => setTimeout(again), { capture: true });
// What an answer put here the server doesn't know of: it would send nothing if all is as it was before.
document.addEventListener("htmx:afterRequest", () => {
  missed = true;
  setTimeout(again);
}, { capture: true });

// The focus stays where it was: on the element of the same id.
let focused;
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target } = event.detail;
  if (target.querySelector("audio")?.currentTime) {
    event.detail.shouldSwap = false; // somebody listens
  } else if (isPressed || target.querySelector("details[open]") || target.closest("[aria-busy]")) {
    event.detail.shouldSwap = false;
    missed = true;
  } else if (target.contains(document.activeElement)) {
    focused = document.activeElement.id;
  }
});
document.addEventListener("htmx:oobAfterSwap", () => {
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  focused = undefined;
});

// <span data-talk="74" data-rate="1">: goes on counting, as fast as the clock of calls; with data-until minutes, up or down.
const started = new WeakMap();
const minutes = new Intl.NumberFormat(root.lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
setInterval(() => {
  if (document.hidden) return;
  for (const span of document.querySelectorAll("[data-talk]")) {
    if (!started.has(span)) started.set(span, performance.now());
    const { talk, rate, until } = span.dataset;
    const seconds = Math.floor(+talk + rate * (performance.now() - started.get(span)) / 1000);
    span.textContent = until
      ? minutes.format((rate < 0 ? Math.max : Math.min)(seconds, until) / 60)
      : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}, 1000);

// Those who listen hear another state at once, and else a summary now and then: not each change.
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

setInterval(announce, AFRESH);
for (const name of ["htmx:oobAfterSwap", "htmx:afterSwap"]) {
  document.addEventListener(name, () => text(STATE) === state || announce());
}
