//! Decides how the page is put together: its panels, when each is drawn, and its connection to the server.

import { html, render } from "lit";

import { BoardPanel } from "./board/panel";
import { Connection } from "./connection";
import { Console } from "./console";
import { Dialogs } from "./dialogs";
import { Header, nameOf, remembered } from "./header";
import { setLang, t } from "./i18n";
import { MqttPanel } from "./mqtt/panel";
import { Program } from "./program";
import { touch, touchAll, watch } from "./schedule";
import { Lab } from "./state";
import { setTheme } from "./theme";
import "./style/base.css";
import "./style/layout.css";
import "./style/program.css";
import "./style/board.css";
import "./style/mqtt.css";

/** Milliseconds between two drawings of the lists, however much arrives. */
const LISTS = 200;
const CONSOLE = 80;

const VIEWS = ["program", "board", "mqtt"] as const;
const VIEW_NAMES = { program: "viewProgram", board: "viewBoard", mqtt: "viewMqtt" } as const;
type View = (typeof VIEWS)[number];

const chosen = remembered("lang") ?? navigator.language.slice(0, 2);
setLang(chosen === "en" ? "en" : "es");
setTheme(remembered("theme"));

const connection = new Connection(
  (message) => lab.take(message),
  (connected) => lab.setConnected(connected),
);
const lab = new Lab((message) => connection.send(message));
const dialogs = new Dialogs(lab);
const program = new Program(lab, dialogs);
const console_ = new Console(lab);
const board = new BoardPanel(lab);
const mqtt = new MqttPanel(lab);
const header = new Header(lab, dialogs);

const top = document.createElement("header");
top.className = "top";
const skip = document.createElement("a");
skip.className = "skip";
skip.href = "#editor";
skip.addEventListener("click", (event) => {
  event.preventDefault();
  program.focus();
});
const notices = document.createElement("div");
notices.className = "notices";
// It is there before what it says, or else no screen reader would tell of it.
notices.setAttribute("role", "log");
const code = document.createElement("div");
code.className = "column code";
code.append(program.root, console_.root);
const main = document.createElement("main");
main.append(code, board.root, mqtt.root);
const views = document.createElement("nav");
views.className = "views";
document.body.append(skip, top, notices, main, views, dialogs.root);

/** On a narrow screen one part is seen at a time. */
let view: View = "program";

function drawViews(): void {
  document.body.dataset["view"] = view;
  views.setAttribute("aria-label", t("views"));
  render(
    VIEWS.map(
      (each) =>
        html`<button
          type="button"
          aria-current=${each === view}
          @click=${() => {
            view = each;
            touchAll();
          }}
        >
          ${t(VIEW_NAMES[each])}
        </button>`,
    ),
    views,
  );
}

watch(["chrome"], () => {
  skip.textContent = t("skip");
  document.title = `${lab.board ? `${nameOf(lab.board)} · ` : ""}umqtt lab`;
  render(header.bar(), top);
  render(header.notices(), notices);
  notices.setAttribute("aria-label", t("notices"));
  dialogs.update();
  drawViews();
});
watch(["editor"], () => program.update());
watch(["console"], () => console_.update(lab.board), CONSOLE);
watch(["board", "lights", "network"], () => board.update());
watch(["mqtt"], () => mqtt.update(), LISTS);
watch(["plot"], () => mqtt.updatePlot(), LISTS);

window.addEventListener("beforeunload", (event) => {
  // Only where there is a file that could still be saved: without one the server has what ran last.
  if ([...lab.boards.values()].some((each) => each.canSave && each.changed().length > 0)) {
    event.preventDefault();
  }
});

touchAll();
touch("chrome");
connection.open();
