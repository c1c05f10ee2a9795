//! Decides how the board's output is shown and how text is typed to the board.

import { t } from "./i18n";
import type { Board, Lab } from "./state";

/** Lines that stand in the page; older ones are in the board's memory only as long as `Terminal` keeps them. */
const SHOWN = 1000;
/** Lines that are read aloud within so many milliseconds at most. */
const SPOKEN = 6;
const SPOKEN_IN = 3000;

export class Console {
  readonly root = document.createElement("section");
  private readonly title = document.createElement("h2");
  private readonly clear = document.createElement("button");
  private readonly output = document.createElement("div");
  private readonly empty = document.createElement("p");
  private readonly current = document.createElement("div");
  private readonly form = document.createElement("form");
  private readonly input = document.createElement("input");
  private readonly send = document.createElement("button");
  private board: Board | undefined;
  /** How many ended lines are in the page, counted from the board's first. */
  private drawn = 0;
  private version = -1;
  private cleared = 0;
  /** When the newest lines came, so that a screen reader is not asked to read more than can be listened to. */
  private readonly arrivals: number[] = [];
  /** The newest line is kept in sight, until a person scrolls away from it. */
  private following = true;
  private height = 0;
  private readonly typed: string[] = [];
  private recalled = 0;

  constructor(private readonly lab: Lab) {
    this.root.className = "panel console";
    this.root.setAttribute("aria-labelledby", "console-title");
    this.title.id = "console-title";
    this.output.className = "output";
    this.output.setAttribute("role", "log");
    this.output.tabIndex = 0;
    this.empty.className = "empty";
    this.current.className = "line";
    this.input.type = "text";
    this.input.autocomplete = "off";
    this.input.spellcheck = false;
    this.input.setAttribute("autocapitalize", "off");
    this.send.type = "submit";
    this.clear.type = "button";
    this.clear.className = "quiet";
    this.clear.addEventListener("click", () => {
      this.board?.terminal.clear();
      this.update(this.board);
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.transmit();
    });
    this.input.addEventListener("keydown", (event) => this.recall(event));
    this.output.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.output;
      // Hidden, as behind another part of the page on a phone, it has no height, and forgets where it was.
      if (clientHeight > 0 && clientHeight === this.height) {
        this.following = scrollHeight - scrollTop - clientHeight < 40;
      }
    });
    new ResizeObserver(() => {
      this.height = this.output.clientHeight;
      this.follow();
    }).observe(this.output);
    const head = document.createElement("header");
    head.append(this.title, this.clear);
    const prompt = document.createElement("span");
    prompt.className = "prompt";
    prompt.setAttribute("aria-hidden", "true");
    prompt.textContent = "›";
    this.form.append(prompt, this.input, this.send);
    this.output.append(this.current);
    this.root.append(head, this.empty, this.output, this.form);
  }

  update(board: Board | undefined): void {
    this.words();
    const terminal = board?.terminal;
    const other = board !== this.board;
    if (other || terminal?.cleared !== this.cleared) {
      this.board = board;
      this.current.textContent = "";
      this.output.replaceChildren(this.current);
      this.drawn = 0;
      this.version = -1;
      this.cleared = terminal?.cleared ?? 0;
    }
    this.empty.hidden = !(terminal?.empty ?? true);
    this.input.disabled = this.send.disabled = board === undefined || board.info.state === "gone";
    if (!terminal || terminal.version === this.version) {
      return;
    }
    this.version = terminal.version;
    const { ended, current } = terminal.content();
    const fresh = Math.min(terminal.ended - this.drawn, ended.length, SHOWN);
    this.pace(other ? Infinity : fresh);
    for (const text of fresh > 0 ? ended.slice(-fresh) : []) {
      const line = document.createElement("div");
      line.className = "line";
      line.textContent = text;
      this.current.before(line);
    }
    this.drawn = terminal.ended;
    while (this.output.childElementCount > SHOWN) {
      this.output.firstElementChild?.remove();
    }
    if (this.current.textContent !== current) {
      this.current.textContent = current;
    }
    this.follow();
  }

  private follow(): void {
    if (this.following) {
      this.output.scrollTop = this.output.scrollHeight;
    }
  }

  /** A screen reader is told of so many new lines, unless they come faster than they can be read aloud. */
  private pace(lines: number): void {
    const now = performance.now();
    for (let at = 0; at < Math.min(lines, SPOKEN); at++) {
      this.arrivals.push(now);
    }
    this.arrivals.splice(0, this.arrivals.length - SPOKEN);
    const oldest = this.arrivals.length < SPOKEN ? -Infinity : (this.arrivals[0] ?? -Infinity);
    this.output.setAttribute("aria-live", now - oldest < SPOKEN_IN ? "off" : "polite");
  }

  private words(): void {
    this.title.textContent = t("console");
    this.clear.textContent = t("clear");
    this.empty.textContent = t("consoleEmpty");
    this.output.setAttribute("aria-label", t("consoleOutput"));
    this.input.setAttribute("aria-label", t("consoleInput"));
    this.input.placeholder = t("consoleInput");
    this.send.textContent = t("send");
  }

  private transmit(): void {
    if (!this.board) {
      return;
    }
    const text = this.input.value;
    // Enter sends a carriage return, as a terminal does.
    if (this.lab.send({ type: "input", board: this.board.info.id, text: `${text}\r` })) {
      if (text !== "") {
        this.typed.push(text);
        this.typed.splice(0, this.typed.length - 100);
      }
      this.recalled = this.typed.length;
      this.input.value = "";
    }
  }

  /** The arrows bring back what was typed. */
  private recall(event: KeyboardEvent): void {
    const step = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
    if (step !== 0) {
      event.preventDefault();
      this.recalled = Math.min(this.typed.length, Math.max(0, this.recalled + step));
      this.input.value = this.typed[this.recalled] ?? "";
    }
  }
}
