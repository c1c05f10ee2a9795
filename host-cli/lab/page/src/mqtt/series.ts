//! Decides which numbers of the messages are kept for the plot: a bounded number of series, each of bounded length.

import { Ring } from "../ring";
import type { Message } from "./model";
import { numbersIn } from "./payload";

const SERIES = 40;
const POINTS = 3000;

export interface Series {
  /** The topic, and after it the name within a JSON. */
  name: string;
  /** Milliseconds since 1970, and the value. */
  points: Ring<[number, number]>;
}

export class SeriesStore {
  readonly all = new Map<string, Series>();

  take(message: Message): void {
    // Half a JSON cannot be read.
    if (message.shown < message.length) {
      return;
    }
    for (const [name, value] of numbersIn(message.text)) {
      this.add(name === "" ? message.topic : `${message.topic} · ${name}`, message.t, value);
    }
  }

  clear(): void {
    this.all.clear();
  }

  private add(name: string, t: number, value: number): void {
    let series = this.all.get(name);
    if (!series) {
      if (this.all.size >= SERIES) {
        return;
      }
      series = { name, points: new Ring(POINTS) };
      this.all.set(name, series);
    }
    // A plot goes from left to right: where clocks jump back, a point waits at the last one's place.
    const last = series.points.last()?.[0] ?? t;
    series.points.push([Math.max(t, last), value]);
  }
}
