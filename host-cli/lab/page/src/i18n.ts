//! Decides in which language the page speaks, and how numbers and times are written in it.

import { en } from "./i18n/en";
import { es, type Words } from "./i18n/es";
import type { Lang } from "./protocol";

const WORDS: Record<Lang, Words> = { es, en };

let current: Lang = "es";
let time = clock(current);

function clock(lang: Lang): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}

export function lang(): Lang {
  return current;
}

export function setLang(to: Lang): void {
  current = to;
  time = clock(to);
  document.documentElement.lang = to;
}

/** The text of a key, with what stands in {braces} put in. */
export function t(key: keyof Words, values: Record<string, string | number> = {}): string {
  // A key may hold braces of its own (a piece of JSON): only names that were given are replaced.
  return WORDS[current][key].replace(/\{(\w+)\}/g, (whole, name: string) =>
    name in values ? String(values[name]) : whole,
  );
}

/** A number with so many digits after the comma, or at most five where nothing is said. */
export function number(value: number, digits?: number): string {
  return new Intl.NumberFormat(current, {
    minimumFractionDigits: digits ?? 0,
    maximumFractionDigits: digits ?? 5,
    useGrouping: false,
  }).format(value);
}

/** Hours, minutes and seconds of a time in milliseconds. */
export function timeOf(milliseconds: number): string {
  return time.format(milliseconds);
}
