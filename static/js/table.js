// Arrow keys move between the rows' links of a table marked data-rows; Home and End go to the ends.

const MOVES = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 };

function links(table) {
  return [...table.querySelectorAll("tbody tr")].map((row) => row.querySelector("a[href]")).filter(Boolean);
}

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || !event.target.matches("a")) return;
  const table = event.target.closest("table[data-rows]");
  if (!table) return;
  const all = links(table);
  const here = all.indexOf(event.target.closest("tr")?.querySelector("a[href]"));
  let next = here + (MOVES[event.key] ?? 0);
  if (event.key === "Home") next = 0;
  if (event.key === "End") next = all.length - 1;
  if (next === here || !all[next]) return;
  event.preventDefault();
  all[next].focus();
});
