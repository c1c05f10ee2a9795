//! Decides when a part of the page is drawn again: in the next frame after something of it changed, and not more often
//! than it is worth. However much arrives, drawing stays bounded.

export type Part = "chrome" | "editor" | "console" | "board" | "lights" | "network" | "mqtt" | "plot";

interface Watcher {
  parts: Set<Part>;
  draw: () => void;
  /** Milliseconds from one drawing to the next at least. */
  interval: number;
  dirty: boolean;
  waiting: boolean;
  last: number;
}

const watchers: Watcher[] = [];

export function watch(parts: Part[], draw: () => void, interval = 0): void {
  watchers.push({ parts: new Set(parts), draw, interval, dirty: false, waiting: false, last: -Infinity });
}

/** Says that something of these parts changed. */
export function touch(...parts: Part[]): void {
  for (const watcher of watchers) {
    if (parts.some((part) => watcher.parts.has(part))) {
      watcher.dirty = true;
      plan(watcher);
    }
  }
}

/** Draws everything, in a new language for example. */
export function touchAll(): void {
  for (const watcher of watchers) {
    watcher.dirty = true;
    plan(watcher);
  }
}

function plan(watcher: Watcher): void {
  if (watcher.waiting) {
    return;
  }
  watcher.waiting = true;
  const rest = watcher.last + watcher.interval - performance.now();
  const frame = () => requestAnimationFrame(() => run(watcher));
  if (rest > 0) {
    setTimeout(frame, rest);
  } else {
    frame();
  }
}

function run(watcher: Watcher): void {
  watcher.waiting = false;
  if (watcher.dirty) {
    watcher.dirty = false;
    watcher.last = performance.now();
    watcher.draw();
  }
}
