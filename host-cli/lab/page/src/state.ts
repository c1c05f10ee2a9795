//! Decides what the page knows: the boards with their files, pins and output, the broker, and what is chosen. Messages of
//! the server change it here and nowhere else.

import { BARE, readDiagram } from "./board/diagram";
import { setUp } from "./board/inputs";
import { resolve, type Held } from "./board/wiring";
import { lang, setLang, t } from "./i18n";
import { MqttModel } from "./mqtt/model";
import { SeriesStore } from "./mqtt/series";
import type {
  BoardId,
  BoardInfo,
  BrokerInfo,
  Diagram,
  PageMessage,
  PinState,
  Pixel,
  Pwm,
  ServerMessage,
  SourceFile,
  Traceback,
  WiredPart,
} from "./protocol";
import { touch, touchAll } from "./schedule";
import { Terminal } from "./terminal";

/** One file of a board as it is edited here. */
export interface OpenFile {
  name: string;
  text: string;
  /** As it was opened or saved. */
  original: string;
}

export type Ended = { how: "finished" | "stopped" | "exited" | "error"; traceback: Traceback | undefined };

export class Board {
  readonly terminal = new Terminal();
  pins: PinState[] = [];
  pwm: Record<string, Pwm> = {};
  pixels: Record<string, Pixel[]> = {};
  files: OpenFile[] = [];
  active = "main.py";
  ended: Ended | undefined;
  diagram: Diagram = BARE;
  main = "main.py";
  canSave = false;
  wiring: WiredPart[] = [];
  held: Held = new Map();
  /** Its parts are to be connected as the diagram has them, as soon as the board is there. */
  unconnected = false;
  /** Counts what replaced the files from outside, so that the editor knows when to read them again. */
  generation = 0;
  /** The files as the server last had them. */
  private known = "";

  constructor(public info: BoardInfo) {
    this.take(info);
  }

  take(info: BoardInfo): void {
    if (info.state === "running" && this.info.state === "starting") {
      // What a program prints begins on a line of its own, not behind the prompt.
      this.terminal.beginLine();
    }
    this.info = info;
    this.main = info.main ?? this.main;
    this.canSave = info.can_save ?? this.canSave;
    if (info.diagram !== undefined) {
      this.diagram = readDiagram(info.diagram) ?? BARE;
      ({ wiring: this.wiring, held: this.held } = resolve(this.diagram));
      this.unconnected = true;
    }
    // Only what changed over there replaces what was typed here.
    const signature = JSON.stringify(info.files);
    if (info.files && signature !== this.known) {
      this.known = signature;
      this.replaceFiles(info.files);
    }
    if (info.state === "running") {
      this.ended = undefined;
    }
  }

  /** Notes what this page itself sends, so that its echo does not overwrite what is typed meanwhile. */
  sent(files: SourceFile[]): void {
    this.known = JSON.stringify(files);
  }

  saved(name: string, text: string): void {
    const files = this.sources().map((file) => (file.name === name ? { name, text } : file));
    this.known = JSON.stringify(files);
  }

  sources(): SourceFile[] {
    return this.files.map(({ name, text }) => ({ name, text }));
  }

  changed(): OpenFile[] {
    return this.files.filter((file) => file.text !== file.original);
  }

  private replaceFiles(files: SourceFile[]): void {
    const same =
      this.files.length > 0 &&
      files.length === this.files.length &&
      files.every((file) => this.files.some((mine) => mine.name === file.name && mine.text === file.text));
    if (same) {
      return;
    }
    // A board without a program has an empty one to begin with.
    const open = files.length === 0 ? [{ name: this.main, text: "" }] : files;
    this.files = open.map(({ name, text }) => ({ name, text, original: text }));
    if (!open.some((file) => file.name === this.active)) {
      this.active = open.find((file) => file.name === this.main)?.name ?? open[0]?.name ?? this.main;
    }
    this.ended = undefined;
    this.generation += 1;
  }
}

export interface Notice {
  key: number;
  level: "info" | "warning" | "error";
  text: string;
}

const NOTICES = 4;
/** Milliseconds after which a notice that asks for nothing goes by itself. */
const NOTICE_STAYS = 20_000;

export class Lab {
  /** Undefined until the server said hello; false while it cannot be reached. */
  connected: boolean | undefined;
  version = "";
  broker: BrokerInfo = { address: "", running: false, external: false, secure: null, lan: false };
  examples: { name: string; title: string }[] = [];
  ports: { port: string; name: string }[] = [];
  readonly boards = new Map<BoardId, Board>();
  selected: BoardId | undefined;
  notices: Notice[] = [];
  readonly series = new SeriesStore();
  readonly mqtt = new MqttModel((message) => {
    this.series.take(message);
    touch("plot");
  });
  private noticeKeys = 0;
  /** A board that is chosen when it comes. */
  private awaited = false;
  private readonly saving = new Map<string, string>();

  constructor(private readonly transmit: (message: PageMessage) => boolean) {}

  get board(): Board | undefined {
    return this.selected === undefined ? undefined : this.boards.get(this.selected);
  }

  send(message: PageMessage): boolean {
    const sent = this.transmit(message);
    if (!sent) {
      this.notice("error", t("lost"));
    }
    return sent;
  }

  select(id: BoardId): void {
    this.selected = id;
    touch("chrome", "editor", "console", "board", "lights", "network");
  }

  add(port: string | undefined): void {
    this.awaited = true;
    this.send(port === undefined ? { type: "add_board", kind: "sim" } : { type: "add_board", kind: "real", port });
  }

  run(board: Board): void {
    const files = board.sources();
    board.sent(files);
    board.ended = undefined;
    this.send({ type: "run", board: board.info.id, files, main: board.main });
    touch("editor");
  }

  save(board: Board, name: string): void {
    const text = board.files.find((file) => file.name === name)?.text;
    if (text === undefined) {
      return;
    }
    this.saving.set(`${board.info.id}\n${name}`, text);
    board.saved(name, text);
    this.send({ type: "save", board: board.info.id, name, text });
  }

  notice(level: Notice["level"], text: string): void {
    // Said again it is not said twice.
    this.notices = this.notices.filter((notice) => notice.text !== text).slice(-(NOTICES - 1));
    const key = this.noticeKeys++;
    this.notices.push({ key, level, text });
    if (level === "info") {
      setTimeout(() => this.dismiss(key), NOTICE_STAYS);
    }
    touch("chrome");
  }

  dismiss(key: number): void {
    this.notices = this.notices.filter((notice) => notice.key !== key);
    touch("chrome");
  }

  setConnected(connected: boolean): void {
    if (!connected) {
      this.connected = this.connected === undefined ? undefined : false;
      touch("chrome", "editor", "network", "mqtt");
    }
  }

  take(message: ServerMessage): void {
    switch (message.type) {
      case "hello":
        this.hello(message);
        break;
      case "board":
        this.takeBoard(message);
        break;
      case "board_gone":
        this.boards.delete(message.id);
        if (this.selected === message.id) {
          this.selected = this.boards.keys().next().value;
        }
        touchAll();
        break;
      case "console":
        this.boards.get(message.board)?.terminal.write(message.text);
        if (message.board === this.selected) {
          touch("console");
        }
        break;
      case "pins":
        this.takePins(message);
        break;
      case "ended":
        this.takeEnded(message);
        break;
      case "mqtt":
        this.mqtt.take(message.events);
        this.mqtt.dropped = message.dropped;
        touch("mqtt");
        break;
      case "mqtt_state":
        this.mqtt.clients = message.clients;
        this.mqtt.retained = message.retained;
        touch("mqtt");
        break;
      case "broker":
        this.takeBroker(message);
        touch("network", "mqtt", "chrome");
        break;
      case "notice":
        this.notice(message.level, message.text);
        break;
      case "saved":
        this.takeSaved(message.board, message.name);
        break;
    }
  }

  private hello(message: Extract<ServerMessage, { type: "hello" }>): void {
    this.connected = true;
    this.version = message.version;
    this.takeBroker(message.broker);
    this.examples = message.examples;
    this.ports = message.ports;
    if (message.lang !== lang()) {
      // Whoever chose a language on this page keeps it, also when the server starts anew.
      const chosen = localStorage.getItem("lang");
      if (chosen === "es" || chosen === "en") {
        this.transmit({ type: "lang", lang: chosen });
      } else {
        setLang(message.lang);
      }
    }
    for (const id of [...this.boards.keys()]) {
      if (!message.boards.some((board) => board.id === id)) {
        this.boards.delete(id);
      }
    }
    // What the boards printed and what passed the broker so far comes again behind a hello.
    this.mqtt.clear();
    this.series.clear();
    for (const board of message.boards) {
      this.putBoard(board);
      this.boards.get(board.id)?.terminal.clear();
    }
    if (!this.board) {
      this.selected = message.boards[0]?.id;
    }
    touchAll();
  }

  private takeBroker(broker: BrokerInfo): void {
    this.broker = broker;
    this.mqtt.external = broker.external;
  }

  private putBoard(info: BoardInfo): void {
    const board = this.boards.get(info.id);
    if (board) {
      board.take(info);
    } else {
      this.boards.set(info.id, new Board(info));
    }
    this.connect(info.id);
  }

  private connect(id: BoardId): void {
    const board = this.boards.get(id);
    if (board?.unconnected && board.info.state !== "starting") {
      board.unconnected = false;
      setUp(this, board);
    }
  }

  private takeBoard(info: BoardInfo): void {
    const isNew = !this.boards.has(info.id);
    this.putBoard(info);
    if (isNew && (this.awaited || this.selected === undefined)) {
      this.awaited = false;
      this.selected = info.id;
    }
    touch("chrome", "editor", "console", "board", "lights", "network");
  }

  private takePins(message: Extract<ServerMessage, { type: "pins" }>): void {
    const board = this.boards.get(message.board);
    if (board) {
      board.pins = message.pins;
      board.pwm = message.pwm;
      board.pixels = message.pixels;
      if (message.board === this.selected) {
        touch("lights");
      }
    }
  }

  private takeEnded(message: Extract<ServerMessage, { type: "ended" }>): void {
    const board = this.boards.get(message.board);
    if (board) {
      board.ended = { how: message.how, traceback: message.traceback ?? undefined };
      const file = message.traceback?.file;
      if (file && message.board === this.selected && board.files.some(({ name }) => name === file)) {
        board.active = file;
      }
      touch("editor", "chrome");
    }
  }

  private takeSaved(id: BoardId, name: string): void {
    const file = this.boards.get(id)?.files.find((open) => open.name === name);
    const text = this.saving.get(`${id}\n${name}`);
    this.saving.delete(`${id}\n${name}`);
    if (file && text !== undefined) {
      file.original = text;
    }
    touch("editor", "chrome");
  }
}
