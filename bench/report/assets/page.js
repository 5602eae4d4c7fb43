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
    for (const item of all("tbody tr:not(.samples), a.chip")) item.hidden = !matches(item.dataset);
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

  const settings = () => ({ ...payload.themes[theme], padding: 4, background: null });
  const filtered = (spec) => {
    const entries = Object.entries(spec.datasets)
      .map(([name, rows]) => [name, rows.filter(matches)]);
    const some = entries.some(([, rows]) => rows.length > 0);
    return some ? { ...spec, datasets: Object.fromEntries(entries) } : null;
  };
  const embed = (place, spec) => vegaEmbed(place, spec, {
    renderer: "svg", actions: false, config: settings(), tooltip: { theme },
  });
  const draw = async (figure) => {
    figure.dataset.stale = "";
    const place = figure.querySelector(".drawing");
    const spec = filtered(payload.specs[figure.dataset.chart]);
    if (spec) await embed(place, spec);
    else place.textContent = "Nothing to draw of what is chosen.";
    figure.dataset.drawn = theme;
  };
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      entry.target.dataset.near = entry.isIntersecting ? "yes" : "";
      if (entry.isIntersecting && entry.target.dataset.stale) draw(entry.target);
    }
  }, { rootMargin: "600px" });
  const redraw = () => {
    for (const figure of all("[data-chart]")) {
      figure.dataset.stale = "yes";
      if (figure.dataset.near) draw(figure);
    }
    for (const row of all("tr.samples")) strip(row);
  };

  // Paper is white, and has what was never scrolled to: Vega draws at once where nothing is loaded.
  addEventListener("beforeprint", () => {
    const before = theme;
    theme = "light";
    for (const figure of all("[data-chart]")) {
      const spec = filtered(payload.specs[figure.dataset.chart]);
      if (!spec) continue;
      const compiled = vegaLite.compile(spec, { config: settings() }).spec;
      const place = figure.querySelector(".drawing");
      new vega.View(vega.parse(compiled), { renderer: "svg" }).initialize(place).run();
    }
    theme = before;
  });
  addEventListener("afterprint", redraw);

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

  root.dataset.theme = theme;
  for (const figure of all("[data-chart]")) {
    figure.dataset.stale = "yes";
    seen.observe(figure);
  }
  follow();
})();
