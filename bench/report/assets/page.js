"use strict";
(() => {
  const payload = JSON.parse(document.getElementById("payload").textContent);
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const DIMENSIONS = all("[data-filter]").map((filter) => filter.dataset.filter);
  const chosen = Object.fromEntries(DIMENSIONS.map((name) => [name, new Set()]));

  // -- light and dark ---------------------------------------------------------------------------

  const prefers = matchMedia("(prefers-color-scheme: dark)");
  let theme = prefers.matches ? "dark" : "light";
  const wear = (name) => {
    theme = name;
    root.dataset.theme = name;
    delete root.dataset.drawn;
    redraw();
  };
  prefers.addEventListener("change", (event) => wear(event.matches ? "dark" : "light"));
  document.getElementById("theme").addEventListener("click", () =>
    wear(theme === "dark" ? "light" : "dark"));

  // -- filters ----------------------------------------------------------------------------------

  // A thing without a value in some dimension stands whatever is chosen; one whose value is null,
  // as a mean over networks, stands only where nothing is chosen there.
  const matches = (values) => DIMENSIONS.every((name) =>
    chosen[name].size === 0 || values[name] === undefined || chosen[name].has(values[name]));

  const apply = () => {
    for (const filter of all("[data-filter]")) {
      const picked = [...chosen[filter.dataset.filter]];
      filter.classList.toggle("active", picked.length > 0);
      filter.querySelector(".chosen").textContent =
        picked.length === 0 ? "all" : picked.length === 1 ? picked[0] : picked.length;
    }
    for (const item of all("tbody tr:not(.samples), .chips a.chip")) item.hidden = !matches(item.dataset);
    for (const row of all("tr.samples")) row.hidden = row.previousElementSibling.hidden;
    for (const article of all("article")) {
      article.querySelector(".none").hidden = all("tbody tr", article).some((row) => !row.hidden);
    }
    redraw();
  };

  for (const filter of all("[data-filter]")) {
    const set = chosen[filter.dataset.filter];
    filter.addEventListener("change", (event) => {
      set[event.target.checked ? "add" : "delete"](event.target.value);
      apply();
    });
    filter.querySelector(".all").addEventListener("click", () => {
      set.clear();
      for (const box of all("input", filter)) box.checked = false;
      apply();
    });
  }
  document.addEventListener("click", (event) => {
    for (const filter of all("details[open]")) {
      if (!filter.contains(event.target)) filter.open = false;
    }
  });

  // -- charts -----------------------------------------------------------------------------------

  const filtered = (spec) => {
    const entries = Object.entries(spec.datasets)
      .map(([name, rows]) => [name, rows.filter(matches)]);
    const some = entries.some(([, rows]) => rows.length > 0);
    return some ? { ...spec, datasets: Object.fromEntries(entries) } : null;
  };
  const views = new Map();
  const embed = async (place, spec, look = theme) => {
    views.get(place)?.finalize();
    views.set(place, await vegaEmbed(place, spec, {
      renderer: "svg", actions: false, tooltip: { theme: look },
      ast: true, // expressions are interpreted: the page's policy forbids eval
      config: { ...payload.themes[look], padding: 4, background: null },
    }));
  };
  const draw = async (figure) => {
    const spec = filtered(payload.specs[figure.dataset.chart]);
    const [screen, paper] = all(".drawing", figure);
    if (spec) await embed(screen, spec);
    else screen.textContent = "Nothing to draw of what is chosen.";
    if (spec && theme === "dark") await embed(paper, spec, "light");
    figure.dataset.drawn = theme;
  };

  // All are drawn, one after the other, the nearest first, so that paper has them too; a newer
  // choice ends the pass that is under way.
  let newest = 0;
  let running = Promise.resolve();
  const redraw = () => {
    const mine = ++newest;
    running = running.then(async () => {
      const far = (figure) => Math.abs(figure.getBoundingClientRect().top);
      for (const figure of all("[data-chart]").sort((a, b) => far(a) - far(b))) {
        if (mine !== newest) return;
        await draw(figure);
        await new Promise((resume) => { setTimeout(resume); });
      }
      root.dataset.drawn = mine;
    });
    for (const row of all("tr.samples")) strip(row);
  };

  // -- tables -----------------------------------------------------------------------------------

  const order = (head) => {
    const body = head.closest("table").tBodies[0];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    for (const row of all("tr.samples", body)) close(row.previousElementSibling);
    const value = (row) => row.cells[head.cellIndex].dataset.value;
    const number = head.classList.contains("number");
    const compare = (a, b) => number ? value(a) - value(b) : value(a).localeCompare(value(b));
    body.append(...[...body.rows].sort((a, b) => (down ? compare(b, a) : compare(a, b))));
  };
  for (const button of all("thead button")) {
    button.addEventListener("click", () => order(button.closest("th")));
  }

  const open = (row) => {
    const { file, count, rows } = payload.samples[row.dataset.row];
    const below = document.createElement("tr");
    below.className = "samples";
    const cell = below.insertCell();
    cell.colSpan = row.cells.length;
    const said = document.createElement("p");
    said.className = "about";
    said.append(rows.length === count ? `All ${count} samples, by process; the tick is the median. `
      : `${rows.length} of ${count} samples, evenly; the tick is the median. `);
    const link = document.createElement("a");
    link.href = encodeURI(file);
    link.textContent = "CSV, every one";
    said.append(link);
    const place = document.createElement("div");
    place.className = "drawing";
    cell.append(said, place);
    below.dataset.row = row.dataset.row;
    row.after(below);
    row.querySelector(".open").setAttribute("aria-expanded", "true");
    strip(below);
  };
  const strip = (below) => {
    const rows = payload.samples[below.dataset.row].rows;
    const samples = rows.map(([process, round, ms]) => ({ process: process + 1, round: round + 1, ms }));
    embed(below.querySelector(".drawing"), { ...payload.strip, datasets: { samples } });
  };
  const close = (row) => {
    row.nextElementSibling.remove();
    row.querySelector(".open").setAttribute("aria-expanded", "false");
  };
  const isOpen = (row) => row.querySelector(".open").getAttribute("aria-expanded") === "true";
  for (const row of all("tr.opens")) {
    row.addEventListener("click", () => (isOpen(row) ? close : open)(row));
  }
  const follow = () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row && row.classList.contains("opens") && !isOpen(row)) open(row);
  };
  addEventListener("hashchange", follow);

  wear(theme);
  follow();
})();
