// Arrow keys move between the rows' links of a table marked data-rows; Home and End go to the ends; x ticks.

const MOVES = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 };

addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || !event.target.matches("a")) return;
  const table = event.target.closest("table[data-rows]");
  if (!table) return;
  const all = [...table.querySelectorAll("tbody tr")].map((one) => one.querySelector("a[href]")).filter(Boolean);
  const row = event.target.closest("tr");
  if (event.key === "x") row?.querySelector("[data-check]")?.click();
  const here = all.indexOf(row?.querySelector("a[href]"));
  let next = here + (MOVES[event.key] ?? 0);
  if (event.key === "Home") next = 0;
  if (event.key === "End") next = all.length - 1;
  if (next === here || !all[next]) return;
  event.preventDefault();
  all[next].focus();
});

addEventListener("change", (event) => {
  if (!event.target.matches("[data-check-all]")) return;
  const boxes = event.target.closest("table").querySelectorAll("[data-check]");
  for (const box of boxes) box.checked = event.target.checked;
});
