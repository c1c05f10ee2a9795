//! Decides the page's head: its name, the boards as tabs, examples, language and theme, and what has to be said at once.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { repeat } from "lit/directives/repeat.js";

import type { Dialogs } from "./dialogs";
import { lang, setLang, t } from "./i18n";
import type { Lang } from "./protocol";
import { touchAll } from "./schedule";
import type { Board, Lab } from "./state";
import { tabKey } from "./tabs";
import { setTheme } from "./theme";

const STATES = { starting: "stateStarting", idle: "stateIdle", running: "stateRunning", gone: "stateGone" } as const;
const THEMES = { auto: "themeAuto", light: "themeLight", dark: "themeDark" } as const;
type Theme = keyof typeof THEMES;

/** What was chosen on this page before, where the browser keeps such things. */
export function remembered(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Then it is chosen again next time.
  }
}

export function stateOf(board: Board): string {
  return t(STATES[board.info.state]);
}

/** The board's name; one that only counts is in the page's language. */
export function nameOf(board: Board): string {
  const count = /^(?:Placa|Board) (\d+)$/.exec(board.info.name)?.[1];
  return count === undefined ? board.info.name : `${t("board")} ${count}`;
}

export class Header {
  constructor(
    private readonly lab: Lab,
    private readonly dialogs: Dialogs,
  ) {}

  bar(): TemplateResult {
    const board = this.lab.board;
    return html`
      <h1><img src="icon.svg" alt="" width="26" height="26" /><span>umqtt</span> <span class="lab">${t("lab")}</span></h1>
      <div class="boards">
        <div class="tabs" role="tablist" aria-label=${t("boards")} @keydown=${tabKey}>
          ${repeat(
            this.lab.boards.values(),
            ({ info }) => info.id,
            (each) => this.tab(each),
          )}
        </div>
        <button
          type="button"
          class="quiet icon add"
          aria-label=${t("addBoard")}
          title=${t("addBoard")}
          ?disabled=${!this.lab.connected}
          @click=${() => this.dialogs.addBoard()}
        >
          +
        </button>
      </div>
      <div class="settings">
        <button type="button" class="examples" ?disabled=${!board || !this.lab.connected} @click=${() => board && this.dialogs.examples(board)}>
          ${t("examples")}
        </button>
        <label
          ><span class="visually-hidden">${t("language")}</span>
          <select id="language" .value=${live(lang())} @change=${(event: Event) => this.choose((event.target as HTMLSelectElement).value as Lang)}>
            <option value="es" lang="es">Español</option>
            <option value="en" lang="en">English</option>
          </select></label
        >
        <label
          ><span class="visually-hidden">${t("theme")}</span>
          <select
            id="theme"
            .value=${live(remembered("theme") ?? "auto")}
            @change=${(event: Event) => {
              const theme = (event.target as HTMLSelectElement).value as Theme;
              remember("theme", theme);
              setTheme(theme);
            }}
          >
            ${Object.entries(THEMES).map(([value, key]) => html`<option value=${value}>${t(key)}</option>`)}
          </select></label
        >
      </div>
    `;
  }

  /** What has to be said: no connection, and what the server noted. */
  notices(): TemplateResult {
    const { connected, notices } = this.lab;
    return html`
      ${connected === true
        ? nothing
        : html`<p class="notice ${connected === false ? "error" : "info"}">${t(connected === false ? "lost" : "connecting")}</p>`}
      ${repeat(
        notices,
        ({ key }) => key,
        ({ key, level, text }) => html`<p class="notice ${level}" role=${level === "error" ? "alert" : nothing}>
          <span>${text}</span>
          <button type="button" class="quiet icon" aria-label=${t("dismiss")} title=${t("dismiss")} @click=${() => this.lab.dismiss(key)}>✕</button>
        </p>`,
      )}
    `;
  }

  private tab(board: Board): TemplateResult {
    const { id, state } = board.info;
    const selected = id === this.lab.selected;
    return html`<button
      type="button"
      role="tab"
      id="board-tab-${id}"
      aria-controls="board-panel"
      aria-selected=${selected}
      tabindex=${selected ? 0 : -1}
      class="state-${state}"
      title=${stateOf(board)}
      @click=${() => this.lab.select(id)}
    >
      <span class="dot" aria-hidden="true"></span>${nameOf(board)}<span class="visually-hidden">, ${stateOf(board)}</span>
    </button>`;
  }

  private choose(to: Lang): void {
    remember("lang", to);
    setLang(to);
    this.lab.send({ type: "lang", lang: to });
    touchAll();
  }
}
