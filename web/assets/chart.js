// Trend charts: a line with its interval, in the colours of the style sheet.
"use strict";

(() => {
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Days stand before months, as everywhere in the console.
  const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;

  function faded(colour) {
    const probe = document.createElement("canvas").getContext("2d");
    probe.fillStyle = colour;
    return probe.fillStyle + "26";
  }

  function options(box, data) {
    const format = new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
    const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "UTC" });
    const axis = { stroke: token("--ink-3"), grid: { stroke: token("--line"), width: 1 }, ticks: { show: false }, font: "12px " + token("--sans") };
    const shown = data.low.concat(data.high, data.mean).filter((value) => value !== null);
    const floor = Math.max(1, Math.min(...shown) - 0.1);
    const ceiling = Math.min(5, Math.max(...shown) + 0.1);
    return {
      width: box.clientWidth, height: 240, padding: [12, 12, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      legend: { show: false },
      scales: { x: { time: true }, y: { range: () => [floor, ceiling] } },
      tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1e3), "Etc/UTC"),
      axes: [
        { ...axis, values: (_, splits) => splits.map((at) => day.format(at * 1000)), space: 72, size: 32 },
        { ...axis, label: data.unit, labelSize: 20, labelFont: "12px " + token("--sans"), size: 44,
          values: (_, splits) => splits.map((value) => format.format(value)) },
      ],
      series: [
        {},
        { stroke: token("--accent"), width: 2, points: { size: 5, fill: token("--accent") }, spanGaps: true },
        { stroke: "transparent", points: { show: false }, spanGaps: true },
        { stroke: "transparent", points: { show: false }, spanGaps: true },
      ],
      bands: [{ series: [3, 2], fill: faded(token("--accent")) }],
      hooks: { setCursor: [(plot) => tip(plot, box, data, format, day)] },
    };
  }

  function tip(plot, box, data, format, day) {
    const label = box.querySelector(".chart-tip");
    const index = plot.cursor.idx;
    if (index === null || index === undefined || data.mean[index] === null) { label.hidden = true; return; }
    label.hidden = false;
    label.textContent = day.format(data.at[index] * 1000) + " · " + format.format(data.mean[index]) + " · n " + data.n[index];
    const left = plot.valToPos(data.at[index], "x") + plot.bbox.left / devicePixelRatio;
    label.style.left = Math.min(Math.max(0, left + 8), box.clientWidth - label.offsetWidth) + "px";
    label.style.top = Math.max(0, plot.valToPos(data.mean[index], "y") - 24) + "px";
  }

  function draw(box, data) {
    const stage = box.querySelector(".chart");
    stage.replaceChildren();
    const plot = new uPlot(options(box, data), [data.at, data.mean, data.low, data.high], stage);
    plot.over.addEventListener("click", () => {
      const index = plot.cursor.idx;
      if (index !== null && data.links[index]) window.location.assign(data.links[index]);
    });
    return plot;
  }

  function start(root) {
    for (const box of root.querySelectorAll(".chart-box:not([data-drawn])")) {
      const source = box.querySelector("script[type='application/json']");
      if (!source || typeof uPlot === "undefined") continue;
      box.dataset.drawn = "yes";
      const data = JSON.parse(source.textContent);
      let plot = draw(box, data);
      new ResizeObserver(() => { if (plot.width !== box.clientWidth) plot.setSize({ width: box.clientWidth, height: 240 }); }).observe(box);
      window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { plot.destroy(); plot = draw(box, data); });
    }
  }

  start(document);
  document.addEventListener("htmx:after:swap", () => start(document));
})();
