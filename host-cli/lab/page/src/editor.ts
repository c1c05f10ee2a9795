//! Decides how a program is edited: CodeMirror with Python, one document per file and board, and the line of a traceback
//! marked.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, StateEffect, StateField, type Extension } from "@codemirror/state";
import {
  Decoration,
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  placeholder,
  WidgetType,
  type DecorationSet,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

import { lang, t } from "./i18n";
import type { Lang, Traceback } from "./protocol";
import { touch } from "./schedule";
import type { Board, Lab, OpenFile } from "./state";

/** Colours come from the style sheet, so that they follow the theme. */
const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: [tags.comment], color: "var(--code-comment)", fontStyle: "italic" },
  { tag: [tags.function(tags.variableName), tags.function(tags.definition(tags.variableName))], color: "var(--code-function)" },
  { tag: [tags.definition(tags.variableName), tags.className], color: "var(--code-definition)" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

/** What CodeMirror itself says; in English it says so by itself. */
const PHRASES: Record<Lang, Record<string, string>> = {
  en: {},
  es: {
    Find: "Buscar",
    Replace: "Cambiar por",
    next: "siguiente",
    previous: "anterior",
    all: "todos",
    "match case": "mayúsculas",
    "by word": "palabra entera",
    regexp: "expresión regular",
    replace: "cambiar",
    "replace all": "cambiar todos",
    close: "cerrar",
    "Fold line": "Plegar",
    "Unfold line": "Desplegar",
    "folded code": "código plegado",
    unfold: "desplegar",
    "Control character": "Carácter de control",
    "Selection deleted": "Selección borrada",
    "Go to line": "Ir a la línea",
    go: "ir",
    Completions: "Propuestas",
  },
};

class ErrorWidget extends WidgetType {
  constructor(readonly message: string) {
    super();
  }
  override eq(other: ErrorWidget): boolean {
    return other.message === this.message;
  }
  override toDOM(): HTMLElement {
    const element = document.createElement("div");
    element.className = "cm-traceback-text";
    element.textContent = this.message;
    return element;
  }
}

interface Mark {
  line: number;
  message: string;
}

const setMark = StateEffect.define<Mark | undefined>();

/** The marked line goes when it is edited: what it said may then be wrong. */
const mark = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(decorations, transaction) {
    let next = transaction.docChanged ? decorations.map(transaction.changes) : decorations;
    for (const effect of transaction.effects) {
      if (effect.is(setMark)) {
        next = effect.value ? decorate(transaction.state, effect.value) : Decoration.none;
      }
    }
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

function decorate(state: EditorState, { line, message }: Mark): DecorationSet {
  if (line < 1 || line > state.doc.lines) {
    return Decoration.none;
  }
  const at = state.doc.line(line);
  return Decoration.set([
    Decoration.line({ class: "cm-traceback" }).range(at.from),
    Decoration.widget({ widget: new ErrorWidget(message), block: true, side: 1 }).range(at.to),
  ]);
}

export class Editor {
  readonly root = document.createElement("div");
  private readonly view: EditorView;
  private shown = "";
  private marked: Traceback | undefined;
  private file: OpenFile | undefined;
  /** The documents that are not in sight, with their undo history and cursor. */
  private readonly states = new WeakMap<OpenFile, EditorState>();

  constructor(private readonly lab: Lab) {
    this.root.className = "editor";
    this.view = new EditorView({ parent: this.root, state: this.state("", "") });
  }

  focus(): void {
    this.view.focus();
  }

  goTo(line: number): void {
    const at = this.view.state.doc.line(Math.min(Math.max(1, line), this.view.state.doc.lines));
    this.view.dispatch({ selection: { anchor: at.from }, effects: EditorView.scrollIntoView(at.from, { y: "center" }) });
    this.view.focus();
  }

  update(board: Board | undefined): void {
    const file = board?.files.find((open) => open.name === board.active);
    const signature = JSON.stringify([board?.info.id, board?.generation, file?.name, lang()]);
    if (signature !== this.shown) {
      if (this.file) {
        this.states.set(this.file, this.view.state);
      }
      this.shown = signature;
      this.file = file;
      this.marked = undefined;
      const kept = file && this.states.get(file);
      // The language may have changed since: what the editor says of itself is made anew, the text is kept.
      this.view.setState(kept?.facet(EditorState.phrases)[0]?.["$lang"] === lang() ? kept : this.state(file?.text ?? "", file?.name ?? ""));
    }
    const traceback = board?.ended?.traceback;
    const here = traceback && traceback.file === file?.name ? traceback : undefined;
    if (here !== this.marked) {
      this.marked = here;
      const line = here?.line ?? undefined;
      this.view.dispatch({ effects: setMark.of(here && line !== undefined ? { line, message: here.message } : undefined) });
      if (line !== undefined && line >= 1 && line <= this.view.state.doc.lines) {
        const at = this.view.state.doc.line(line);
        this.view.dispatch({ effects: EditorView.scrollIntoView(at.from, { y: "center" }) });
      }
    }
  }

  private state(text: string, name: string): EditorState {
    const file = this.file;
    const edited = EditorView.updateListener.of((update) => {
      if (update.docChanged && file) {
        file.text = update.state.doc.toString();
        touch("editor", "chrome");
      }
    });
    return EditorState.create({ doc: text, extensions: [this.extensions(name), edited] });
  }

  private extensions(name: string): Extension {
    const command = (run: (board: Board) => void) => () => {
      if (this.lab.board) {
        run(this.lab.board);
      }
      return true;
    };
    return [
      EditorView.lineWrapping,
      lineNumbers(),
      highlightActiveLineGutter(),
      highlightSpecialChars(),
      history(),
      foldGutter({ openText: "⌄", closedText: "›" }),
      drawSelection(),
      indentOnInput(),
      syntaxHighlighting(COLOURS),
      bracketMatching(),
      closeBrackets(),
      autocompletion(),
      highlightActiveLine(),
      highlightSelectionMatches(),
      search({ top: true }),
      indentUnit.of("    "),
      EditorState.phrases.of({ ...PHRASES[lang()], $lang: lang() }),
      mark,
      placeholder(t("editorEmpty")),
      name.endsWith(".py") || name === "" ? python() : [],
      EditorView.contentAttributes.of({
        "aria-label": t("editor", { file: name }),
        "aria-description": t("editorHint"),
        spellcheck: "false",
        tabindex: "0",
      }),
      keymap.of([
        { key: "Mod-Enter", run: command((board) => this.lab.run(board)) },
        { key: "Mod-s", run: command((board) => board.canSave && this.lab.save(board, board.active)), preventDefault: true },
        ...closeBracketsKeymap,
        ...defaultKeymap,
        ...searchKeymap,
        ...historyKeymap,
        ...foldKeymap,
        ...completionKeymap,
        indentWithTab,
      ]),
    ];
  }
}
