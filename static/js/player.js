// A recording and its transcript: a line plays from itself, the line and word that sound are marked.

const audio = () => document.querySelector("#call-recording audio");
const seeks = (list) => [...list.querySelectorAll("[data-seek]")];

addEventListener("click", (event) => {
  const link = event.target.closest("[data-transcript] li")?.querySelector("[data-seek]");
  if (!link || !audio() || event.target.closest("details") || `${getSelection()}`) return;
  event.preventDefault();
  audio().currentTime = Number(link.dataset.seek);
  audio().play().catch(() => {});
});

addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.matches("[data-seek]")) return;
  const all = seeks(event.target.closest("ol"));
  all[all.indexOf(event.target) + step]?.focus();
  event.preventDefault();
});

// A highlight, not an element: the text stays in one piece for those who listen to it.
function markWord(text, now) {
  const at = text.parentElement.dataset.words.split(" ").findLastIndex((start) => start <= now);
  const word = [...text.data.matchAll(/\S+/g)][at];
  const range = new Range();
  range.setStart(text, word?.index ?? 0);
  range.setEnd(text, word ? word.index + word[0].length : 0);
  CSS.highlights?.set("spoken", new Highlight(range));
}

addEventListener("timeupdate", (event) => {
  const list = document.querySelector("[data-transcript]");
  if (!list || event.target !== audio()) return;
  const now = event.target.currentTime + 0.05;
  const turn = seeks(list).findLast((link) => link.dataset.seek <= now)?.closest("li");
  const before = list.querySelector("[aria-current]");
  if (turn !== before) {
    before?.removeAttribute("aria-current");
    turn?.setAttribute("aria-current", "true");
  }
  const text = turn?.querySelector("[data-words]")?.firstChild;
  if (text) markWord(text, now);
}, true);
