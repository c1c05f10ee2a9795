//! Decides the panel of a board: its drawing, its parts in words, the network's controls and its pins.

import { html, nothing, render, type TemplateResult } from "lit";

import { nameOf } from "../header";
import { t } from "../i18n";
import { networkPanel } from "../network";
import type { Board, Lab } from "../state";
import { partsList, pinTable } from "./parts";
import { Picture } from "./picture";

export class BoardPanel {
  readonly root = document.createElement("section");
  private readonly picture: Picture;

  constructor(private readonly lab: Lab) {
    this.picture = new Picture(lab);
    this.root.className = "panel board";
    this.root.id = "board-panel";
  }

  update(): void {
    const board = this.lab.board;
    this.root.setAttribute("aria-labelledby", "board-title");
    render(this.template(board), this.root);
    if (board) {
      this.picture.update(board);
    }
  }

  private template(board: Board | undefined): TemplateResult {
    if (!board) {
      return html`<header><h2 id="board-title">${t("board")}</h2></header>`;
    }
    const { info } = board;
    const name = nameOf(board);
    const gone = info.state === "gone";
    return html`<header>
        <h2 id="board-title">${name}</h2>
        <span class="hint">${t(info.kind === "sim" ? "simBoard" : "realBoard")}${info.port ? html` · <span class="mono">${info.port}</span>` : nothing}</span>
        <span class="spring"></span>
        <button
          type="button"
          class=${gone ? "primary" : "quiet"}
          title=${gone ? t("goneHint") : t("resetBoard")}
          ?disabled=${!this.lab.connected}
          @click=${() => this.lab.send({ type: "reset", board: info.id })}
        >
          ${t(gone ? "reconnect" : "reset")}
        </button>
        ${this.lab.boards.size > 1
          ? html`<button
              type="button"
              class="quiet icon"
              aria-label=${t("removeBoard", { name })}
              title=${t("removeBoard", { name })}
              @click=${() => this.lab.send({ type: "remove_board", id: info.id })}
            >
              ✕
            </button>`
          : nothing}
      </header>
      ${gone ? html`<p class="hint warn">${t("goneHint")}</p>` : nothing}
      <div class="board-body">
        ${this.picture.root} ${partsList(this.lab, board)} ${networkPanel(this.lab, board)} ${pinTable(board)}
      </div>`;
  }
}
