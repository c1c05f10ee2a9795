//! Decides whether the page is light or dark: as was chosen, else as the system is, whose changes it follows.

const system = matchMedia("(prefers-color-scheme: dark)");
const listeners: (() => void)[] = [];
let chosen: string | null = null;

export function isDark(): boolean {
  return chosen === "dark" || (chosen !== "light" && system.matches);
}

/** `light`, `dark`, or anything else for the system's. */
export function setTheme(theme: string | null): void {
  chosen = theme;
  apply();
}

/** Calls it whenever the colours may be others. */
export function onTheme(listener: () => void): void {
  listeners.push(listener);
}

function apply(): void {
  document.documentElement.dataset["theme"] = isDark() ? "dark" : "light";
  for (const listener of listeners) {
    listener();
  }
}

system.addEventListener("change", apply);
