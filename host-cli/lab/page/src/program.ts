//! Decides the panel with the program: files as tabs, run and stop, and how the last run ended.

import { html, nothing, render, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import type { Dialogs } from "./dialogs";
import { Editor } from "./editor";
import { stateOf } from "./header";
import { t } from "./i18n";
import { touch } from "./schedule";
import type { Board, Lab } from "./state";
import { tabKey } from "./tabs";

const ENDINGS = { finished: "endedFinished", stopped: "endedStopped", exited: "endedExited", error: "endedError" } as const;

export class Program {
  readonly root = document.createElement("section");
  private readonly head = document.createElement("div");
  private readonly foot = document.createElement("div");
  private readonly body = document.createElement("div");
  private readonly editor: Editor;

  constructor(
    private readonly lab: Lab,
    private readonly dialogs: Dialogs,
  ) {
    this.editor = new Editor(lab);
    this.root.className = "panel program";
    this.root.setAttribute("aria-labelledby", "program-title");
    this.head.className = "program-head";
    this.foot.className = "program-foot";
    this.foot.setAttribute("role", "status");
    this.body.className = "program-body";
    this.body.id = "editor";
    this.body.setAttribute("role", "tabpanel");
    this.body.setAttribute("aria-labelledby", "file-tab");
    this.body.append(this.editor.root);
    this.root.append(this.head, this.body, this.foot);
  }

  focus(): void {
    this.editor.focus();
  }

  update(): void {
    const board = this.lab.board;
    render(this.header(board), this.head);
    render(board ? this.ending(board) : nothing, this.foot);
    this.editor.update(board);
  }

  private header(board: Board | undefined): TemplateResult {
    const state = board?.info.state;
    const usable = this.lab.connected === true && board !== undefined;
    const file = board?.files.find((open) => open.name === board.active);
    const dirty = file !== undefined && file.text !== file.original;
    return html`<header>
        <h2 id="program-title">${t("program")}</h2>
        <span class="run-state state-${state}" role="status"><span class="dot" aria-hidden="true"></span>${board ? stateOf(board) : ""}</span>
        <span class="spring"></span>
        <button type="button" class="stop" ?disabled=${!usable || state !== "running"} @click=${() => board && this.lab.send({ type: "stop", board: board.info.id })}>
          <svg viewBox="0 0 12 12" aria-hidden="true"><rect x="2" y="2" width="8" height="8" rx="1" /></svg>${t("stop")}
        </button>
        <button
          type="button"
          class="primary run"
          title=${dirty && state === "running" ? t("editWhileRunning") : t("runHint")}
          ?disabled=${!usable || state === "starting" || state === "gone"}
          @click=${() => board && this.lab.run(board)}
        >
          <svg viewBox="0 0 12 12" aria-hidden="true"><path d="M2.5 1.5v9l8-4.5z" /></svg>${t("run")}
        </button>
      </header>
      <div class="tabbar">
        <div class="tabs files" role="tablist" aria-label=${t("files")} @keydown=${tabKey}>
          ${board
            ? repeat(
                board.files,
                ({ name }) => name,
                ({ name, text, original }) => this.tab(board, name, text !== original),
              )
            : nothing}
        </div>
        ${board
          ? html`<button type="button" class="quiet icon" aria-label=${t("newFile")} title=${t("newFile")} @click=${() => this.dialogs.newFile(board)}>+</button>`
          : nothing}
        <span class="spring"></span>
        <span class="hint leave" aria-hidden="true">${t("leaveEditor")}</span>
        ${board?.canSave
          ? html`<button type="button" class="quiet" ?disabled=${!usable || !dirty} @click=${() => this.lab.save(board, board.active)}>${t("save")}</button>`
          : nothing}
      </div>`;
  }

  private tab(board: Board, name: string, dirty: boolean): TemplateResult {
    const selected = name === board.active;
    const word = t(board.canSave ? "unsaved" : "changed");
    return html`<button
      type="button"
      role="tab"
      id=${selected ? "file-tab" : nothing}
      aria-controls="editor"
      aria-selected=${selected}
      tabindex=${selected ? 0 : -1}
      @click=${() => {
        board.active = name;
        touch("editor");
      }}
    >
      ${name}${dirty ? html`<span class="dirty" title=${word} aria-hidden="true">●</span><span class="visually-hidden">, ${word}</span>` : nothing}
    </button>`;
  }

  private ending(board: Board): TemplateResult {
    const ended = board.ended;
    if (!ended) {
      return html``;
    }
    const { traceback } = ended;
    if (!traceback) {
      return html`<div class="ending ${ended.how}"><p>${t(ENDINGS[ended.how])}</p></div>`;
    }
    const { file, line, message } = traceback;
    const known = file !== null && line !== null && board.files.some(({ name }) => name === file);
    return html`<div class="ending ${ended.how}">
      <p><strong>${message}</strong>${file === null || line === null ? nothing : html` <span class="hint">${t("errorAt", { file, line })}</span>`}</p>
      ${known
        ? html`<button
            type="button"
            @click=${() => {
              board.active = file;
              this.update();
              this.editor.goTo(line);
            }}
          >
            ${t("goToLine", { line })}
          </button>`
        : nothing}
    </div>`;
  }
}
