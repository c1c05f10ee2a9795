//! Decides how published numbers are plotted over time: which series, how far back, and the same in words beside it.

import { html, render, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { repeat } from "lit/directives/repeat.js";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { lang, number, t, timeOf } from "./i18n";
import type { Series, SeriesStore } from "./mqtt/series";
import { isDark, onTheme } from "./theme";

/** Series that are chosen by themselves; the others wait to be chosen. */
const AT_FIRST = 4;
const COLOURS = ["#0b7fab", "#c2410c", "#15803d", "#9333ea", "#b45309", "#be185d", "#0f766e", "#4f46e5"];
const DARK_COLOURS = ["#4cc2f1", "#fb923c", "#4ade80", "#c084fc", "#fbbf24", "#f472b6", "#2dd4bf", "#a5b4fc"];

/** Seconds; 0 is all. */
type Window = 60 | 300 | 0;

export class Plot {
  readonly root = document.createElement("div");
  private readonly controls = document.createElement("div");
  private readonly canvas = document.createElement("div");
  private readonly known = new Map<string, { shown: boolean; at: number }>();
  private window: Window = 60;
  private plot: uPlot | undefined;
  private drawn = "";
  private series: SeriesStore | undefined;

  constructor() {
    this.root.className = "plot";
    this.canvas.className = "plot-canvas";
    this.canvas.setAttribute("role", "img");
    this.root.append(this.canvas, this.controls);
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    onTheme(() => this.redraw());
  }

  /** Draws in new colours. */
  redraw(): void {
    this.drawn = "";
    if (this.series) {
      this.update(this.series);
    }
  }

  update(series: SeriesStore): void {
    this.series = series;
    for (const name of series.all.keys()) {
      if (!this.known.has(name)) {
        this.known.set(name, { shown: this.known.size < AT_FIRST, at: this.known.size });
      }
    }
    for (const name of this.known.keys()) {
      if (!series.all.has(name)) {
        this.known.delete(name);
      }
    }
    const all = [...series.all.values()];
    const chosen = all.filter(({ name }) => this.known.get(name)?.shown);
    render(this.panel(all), this.controls);
    this.canvas.hidden = chosen.length === 0;
    this.canvas.setAttribute("aria-label", t("plotLabel", { series: chosen.map(({ name }) => name).join(", ") }));
    this.draw(chosen);
  }

  private panel(all: Series[]): TemplateResult {
    if (all.length === 0) {
      return html`<p class="empty">${t("plotEmpty")}</p>`;
    }
    const windows: [Window, "minute" | "fiveMinutes" | "allTime"][] = [
      [60, "minute"],
      [300, "fiveMinutes"],
      [0, "allTime"],
    ];
    return html`<fieldset class="segments">
        <legend class="visually-hidden">${t("window")}</legend>
        ${windows.map(
          ([seconds, key]) =>
            html`<label
              ><input
                type="radio"
                name="plot-window"
                .checked=${live(this.window === seconds)}
                @change=${() => {
                  this.window = seconds;
                  this.redraw();
                }}
              /><span>${t(key)}</span></label
            >`,
        )}
      </fieldset>
      <fieldset class="series">
        <legend class="visually-hidden">${t("series")}</legend>
        ${repeat(
          all,
          ({ name }) => name,
          ({ name, points }) => {
            const known = this.known.get(name);
            const last = points.last()?.[1];
            return html`<label class="check"
              ><input
                type="checkbox"
                .checked=${live(known?.shown ?? false)}
                @change=${(event: Event) => {
                  if (known) {
                    known.shown = (event.target as HTMLInputElement).checked;
                  }
                  this.redraw();
                }}
              /><span class="swatch" style="background: ${this.colour(known?.at ?? 0)}" aria-hidden="true"></span
              ><span class="series-name">${name}</span
              ><span class="mono" aria-label=${t("lastValue", { value: last === undefined ? "" : number(last) })}
                >${last === undefined ? "" : number(last)}</span
              ></label
            >`;
          },
        )}
      </fieldset>`;
  }

  private colour(at: number): string {
    const colours = isDark() ? DARK_COLOURS : COLOURS;
    return colours[at % colours.length] ?? "gray";
  }

  private draw(chosen: Series[]): void {
    const signature = JSON.stringify([chosen.map(({ name }) => name), isDark(), lang()]);
    const data = align(chosen, this.window);
    if (chosen.length === 0 || this.canvas.clientWidth === 0) {
      return;
    }
    if (this.plot && signature === this.drawn) {
      this.plot.setData(data);
      return;
    }
    this.drawn = signature;
    this.plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const [ink, lines] = ["--ink-soft", "--line"].map((name) => style.getPropertyValue(name).trim());
    const axis = { stroke: ink, grid: { stroke: lines, width: 1 }, ticks: { stroke: lines, width: 1 }, font: "12px system-ui" };
    this.plot = new uPlot(
      {
        ...this.room(),
        legend: { show: false },
        cursor: { points: { size: 6 } },
        scales: { x: { time: true } },
        axes: [
          { ...axis, values: (_plot, splits) => splits.map((at) => timeOf(at * 1000)), space: 90 },
          { ...axis, values: (_plot, splits) => splits.map((value) => number(value)), size: 56 },
        ],
        series: [
          {},
          ...chosen.map(({ name }) => ({
            label: name,
            stroke: this.colour(this.known.get(name)?.at ?? 0),
            width: 2,
            spanGaps: true,
            points: { show: true, size: 5 },
          })),
        ],
      },
      data,
      this.canvas,
    );
  }

  private room(): { width: number; height: number } {
    return { width: this.canvas.clientWidth, height: 240 };
  }

  private resize(): void {
    if (this.plot) {
      this.plot.setSize(this.room());
    } else {
      this.redraw();
    }
  }
}

/** uPlot wants one list of times: all series' times in order, with gaps where a series has none. */
function align(chosen: Series[], window: Window): uPlot.AlignedData {
  const newest = Math.max(...chosen.map(({ points }) => points.last()?.[0] ?? 0));
  const from = window === 0 ? 0 : newest - window * 1000;
  const tables = chosen.map(({ points }): uPlot.AlignedData => {
    const recent = points.all().filter(([t]) => t >= from);
    // Two values of the same instant: the later one is drawn, since each series has one value per time.
    const byTime = new Map(recent.map(([t, value]) => [t / 1000, value]));
    return [[...byTime.keys()], [...byTime.values()]];
  });
  return tables.length === 0 ? [[]] : uPlot.join(tables);
}
