"use strict";

// Draws the figures when they come near the window, with the colours of the scheme that is on.
// Texts of the user's files are set as text, never as markup.
(() => {
  const CONFIG = {displayModeBar: false, responsive: true};
  const NOTHING = 255;
  const STEPS = 254;
  const STATUS_COLOURS = ["#4c9f70", "#e0a526", "#d1603d", "#7b5ea7", "#3b82b6", "#b0477a", "#7f8894", "#8c6d46", "#222222"];
  const drawings = new Map(); // element to the function that draws it
  const drawn = new Set();

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const data = (id) => {
    const element = document.getElementById(id);
    return element && JSON.parse(element.textContent);
  };

  const coloured = (key, value) =>
    /colou?r$/.test(key) && typeof value === "string" && value.startsWith("--") ? colour(value) : value;

  function layoutOf(own) {
    const axis = {gridcolor: colour("--rule"), zerolinecolor: colour("--rule"), linecolor: colour("--rule"), automargin: true};
    return {
      margin: {l: 48, r: 8, t: 8, b: 36},
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: {color: colour("--ink"), family: "system-ui, sans-serif", size: 12},
      showlegend: false,
      // A finger that moves over a figure scrolls the page.
      dragmode: matchMedia("(hover: none)").matches ? false : "zoom",
      hoverlabel: {bgcolor: colour("--panel"), font: {color: colour("--ink")}},
      template: {layout: {xaxis: axis, yaxis: axis}},
      ...own,
    };
  }

  function draw(element) {
    drawn.add(element);
    drawings.get(element)();
  }

  const observer = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
      observer.unobserve(entry.target);
      draw(entry.target);
    }),
    {rootMargin: "300px"},
  );

  function later(element, how) {
    drawings.set(element, how);
    observer.observe(element);
  }

  function addFigures() {
    for (const element of document.querySelectorAll(".drawing")) {
      const text = element.querySelector("script").textContent;
      element.textContent = "";
      later(element, () => {
        const figure = JSON.parse(text, coloured);
        Plotly.react(element, figure.data, layoutOf(figure.layout), CONFIG);
      });
    }
  }

  // Maps: a byte a cell.

  const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

  function rowsOf(map, slice, width) {
    const bytes = bytesOf(map.slices[slice]);
    const values = Array.from(bytes, (byte) =>
      byte === NOTHING ? null : map.low + (byte / STEPS) * (map.high - map.low));
    return Array.from({length: values.length / width}, (_, row) => values.slice(row * width, (row + 1) * width));
  }

  function colours(map) {
    if (map.log) {
      const powers = [];
      for (let power = Math.ceil(map.low); power <= map.high; power += 1) powers.push(power);
      return {
        colorscale: "Viridis", zmin: map.low, zmax: map.high,
        colorbar: {thickness: 12, outlinewidth: 0, tickvals: powers, ticktext: powers.map((power) => String(Number(`1e${power}`)))},
      };
    }
    if (!map.labels) {
      return {colorscale: "Viridis", zmin: map.low, zmax: map.high, colorbar: {thickness: 12, outlinewidth: 0}};
    }
    const count = map.labels.length;
    const scale = map.labels.flatMap((_, i) =>
      [[i / count, STATUS_COLOURS[i]], [(i + 1) / count, STATUS_COLOURS[i]]]);
    return {
      colorscale: scale, zmin: -0.5, zmax: count - 0.5,
      colorbar: {thickness: 12, outlinewidth: 0, tickvals: map.labels.map((_, i) => i), ticktext: map.labels},
    };
  }

  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  function drawMap(element, images, map, slice) {
    const {horizontal, vertical} = images;
    const rows = rowsOf(map, slice, horizontal.count);
    const values = map.log ? rows.map((row) => row.map((each) => (each === null ? null : 10 ** each))) : rows;
    const trace = {
      type: "heatmap", z: rows, customdata: values, hoverongaps: false,
      x0: horizontal.first, dx: horizontal.step, y0: vertical.first, dy: vertical.step,
      hovertemplate: "%{x}, %{y}: %{customdata:.4g}<extra></extra>", ...colours(map),
    };
    const ratio = (horizontal.count * horizontal.step) / (vertical.count * vertical.step);
    const square = ratio > 0.25 && ratio < 4 ? {scaleanchor: "x", constrain: "domain"} : {};
    const layout = layoutOf({
      xaxis: {title: {text: plain(horizontal.name)}, constrain: "domain", showgrid: false, zeroline: false},
      yaxis: {title: {text: plain(vertical.name)}, showgrid: false, zeroline: false, ...square,
        autorange: vertical.name === "row" ? "reversed" : true},
    });
    Plotly.react(element, [trace], layout, CONFIG);
  }

  function addMaps() {
    const images = data("map-data");
    if (!images) return;
    const elements = Array.from(document.querySelectorAll(".map"));
    const slider = document.getElementById("slice");
    const slice = () => (slider ? Number(slider.value) : 0);
    elements.forEach((element, i) =>
      later(element, () => drawMap(element, images, images.maps[i], slice())));
    if (!slider) return;
    const name = () => {
      document.getElementById("slice-value").textContent = images.slices.first + slice() * images.slices.step;
    };
    slider.addEventListener("input", () => {
      name();
      elements.filter((element) => drawn.has(element)).forEach(draw);
    });
    name();
  }

  // Single fits.

  const bars = (array) => (array ? {type: "data", array, thickness: 1, width: 2} : undefined);

  function drawFit(element, fit) {
    const ink = colour("--ink");
    const points = {type: "scatter", mode: "markers", marker: {color: ink, size: 5}};
    const traces = [{...points, name: "data", x: fit.x, y: fit.y,
      error_y: bars(fit.error), error_x: bars(fit.errorX)}];
    if (fit.anyLeft) {
      traces.push({...points, name: "left out", x: fit.leftX, y: fit.leftY,
        marker: {color: colour("--left"), symbol: "x", size: 6}});
    }
    traces.push(fit.overGrid
      ? {type: "scatter", mode: "lines", name: "fit", x: fit.grid, y: fit.curve, line: {color: colour("--mark")}}
      : {...points, name: "fit", x: fit.x, y: fit.fitted, marker: {color: colour("--mark"), symbol: "circle-open", size: 8}});
    traces.push({...points, name: "residual", x: fit.x, y: fit.residual, yaxis: "y2", showlegend: false});
    const layout = layoutOf({
      showlegend: true,
      legend: {orientation: "h", x: 0, y: 1.02, yanchor: "bottom"},
      margin: {l: 56, r: 8, t: 32, b: 40},
      xaxis: {title: {text: fit.overGrid ? "x" : "point"}, type: fit.log ? "log" : "linear", anchor: "y2"},
      yaxis: {domain: [0.32, 1], title: {text: "y"}},
      yaxis2: {domain: [0, 0.26], title: {text: fit.error ? "residual / σ" : "residual"},
        gridcolor: colour("--rule"), zerolinecolor: colour("--mark"), automargin: true},
    });
    Plotly.react(element, traces, layout, CONFIG);
  }

  function made(tag, text, parent) {
    const element = document.createElement(tag);
    element.textContent = text;
    parent.append(element);
    return element;
  }

  function describe(element, kind, fit) {
    element.textContent = "";
    made("h3", fit.id, element);
    made("p", `${kind}; ${fit.status}. ${fit.sentence}`, element);
    const body = made("tbody", "", made("table", "", element));
    for (const [name, value] of [...fit.estimates, ...fit.facts]) {
      const row = made("tr", "", body);
      made("th", name, row).scope = "row";
      made("td", value, row);
    }
  }

  function addFits() {
    const groups = data("fit-data");
    if (!groups) return;
    const fits = groups.flatMap((group) => group.fits.map((fit) => ({kind: group.kind, fit})));
    const element = document.getElementById("fit-figure");
    const choice = document.getElementById("fit-choice");
    const show = () => {
      const {kind, fit} = fits[choice.selectedIndex];
      describe(document.getElementById("fit-facts"), kind, fit);
      element.setAttribute("aria-label", `Data, fitted curve and residuals of ${fit.id}`);
      if (drawn.has(element)) drawFit(element, fit);
    };
    const move = (by) => {
      choice.selectedIndex = (choice.selectedIndex + by + fits.length) % fits.length;
      show();
    };
    choice.addEventListener("change", show);
    document.getElementById("fit-before").addEventListener("click", () => move(-1));
    document.getElementById("fit-after").addEventListener("click", () => move(1));
    later(element, () => drawFit(element, fits[choice.selectedIndex].fit));
    show();
  }

  addFigures();
  addMaps();
  addFits();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(draw));
})();
