//! Decides the questions that are asked in front of the page: which example, which board, which name for a file.

import { html, nothing, render, type TemplateResult } from "lit";

import { t } from "./i18n";
import { touch } from "./schedule";
import type { Board, Lab } from "./state";

export class Dialogs {
  readonly root = document.createElement("dialog");
  private content: (() => TemplateResult) | undefined;

  constructor(private readonly lab: Lab) {
    this.root.setAttribute("aria-labelledby", "dialog-title");
    // A click beside the dialog closes it.
    this.root.addEventListener("click", (event) => {
      if (event.target === this.root) {
        this.root.close();
      }
    });
    this.root.addEventListener("close", () => (this.content = undefined));
  }

  update(): void {
    if (this.content) {
      render(this.content(), this.root);
    }
  }

  examples(board: Board): void {
    const open = (name: string) => {
      const go = () => {
        this.lab.send({ type: "open_example", board: board.info.id, name });
        this.root.close();
      };
      const changed = board.changed();
      if (changed.length === 0) {
        go();
      } else {
        this.show(() => this.replace(changed.map((file) => file.name).join(", "), go));
      }
    };
    this.show(
      () => html`${this.head(t("examplesTitle"))}
        <p class="hint">${t("examplesHint")}</p>
        <ul class="choices examples">
          ${this.lab.examples.map(
            ({ name, title }) => html`<li>
              <button type="button" data-example=${name} @click=${() => open(name)}>
                <strong>${title}</strong><span class="mono">${name}</span>
              </button>
            </li>`,
          )}
        </ul>`,
    );
  }

  addBoard(): void {
    const add = (port: string | undefined) => () => {
      this.lab.add(port);
      this.root.close();
    };
    if (this.lab.ports.length === 0) {
      this.lab.add(undefined);
      return;
    }
    this.show(
      () => html`${this.head(t("addTitle"))}
        <ul class="choices">
          <li><button type="button" @click=${add(undefined)}><strong>${t("addSim")}</strong></button></li>
          ${this.lab.ports.map(
            ({ port, name }) => html`<li>
              <button type="button" @click=${add(port)}><strong>${t("addReal", { port })}</strong><span>${name}</span></button>
            </li>`,
          )}
        </ul>`,
    );
  }

  newFile(board: Board): void {
    let bad = false;
    const submit = (event: Event) => {
      event.preventDefault();
      const name = (event.target as HTMLFormElement).querySelector("input")?.value.trim() ?? "";
      bad = !/^[\p{L}\p{N}_][\p{L}\p{N}_-]*\.[A-Za-z0-9]+$/u.test(name) || board.files.some((file) => file.name === name);
      if (bad) {
        this.update();
        return;
      }
      board.files.push({ name, text: "", original: "" });
      board.active = name;
      this.root.close();
      touch("editor");
    };
    this.show(
      () => html`${this.head(t("newFile"))}
        <form @submit=${submit}>
          <label class="field wide"
            ><span>${t("newFileName")}</span
            ><input type="text" autocomplete="off" autocapitalize="off" spellcheck="false" aria-invalid=${bad} aria-describedby="file-complaint"
          /></label>
          <p id="file-complaint" class="complaint" role="alert">${bad ? t("newFileBad") : nothing}</p>
          <p class="end"><button type="submit" class="primary">${t("create")}</button></p>
        </form>`,
    );
  }

  private replace(files: string, go: () => void): TemplateResult {
    return html`${this.head(t("examplesTitle"))}
      <p>${t("replaceWarning", { files })}</p>
      <p class="end">
        <button type="button" @click=${() => this.root.close()}>${t("cancel")}</button>
        <button type="button" class="primary" @click=${go}>${t("discard")}</button>
      </p>`;
  }

  private head(title: string): TemplateResult {
    return html`<header>
      <h2 id="dialog-title">${title}</h2>
      <button type="button" class="quiet icon" aria-label=${t("close")} title=${t("close")} @click=${() => this.root.close()}>✕</button>
    </header>`;
  }

  private show(content: () => TemplateResult): void {
    this.content = content;
    this.update();
    if (!this.root.open) {
      this.root.showModal();
    }
  }
}
