//! Decides the form with which a person publishes: nothing is sent that the broker would have to refuse.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";

import { t } from "../i18n";
import type { Lab } from "../state";

/** Bytes of a topic at most (MQTT 3.1.1, 1.5.3). */
const LONGEST = 65535;

export class PublishForm {
  private topic = "";
  private payload = "";
  private qos = 0;
  private retain = false;
  private complaint: "topicBad" | "brokerDown" | "brokerUnreachable" | undefined;

  constructor(
    private readonly lab: Lab,
    private readonly changed: () => void,
  ) {}

  use(topic: string): void {
    this.topic = topic;
    this.complaint = undefined;
    this.changed();
    document.querySelector<HTMLInputElement>("#publish-payload")?.focus();
  }

  render(): TemplateResult {
    const text = (event: Event) => (event.target as HTMLInputElement).value;
    return html`<form
      class="publish"
      aria-label=${t("publish")}
      @submit=${(event: Event) => {
        event.preventDefault();
        this.publish();
      }}
    >
      <label class="field wide"
        ><span>${t("topic")}</span>
        <input
          id="publish-topic"
          type="text"
          list="publish-topics"
          autocomplete="off"
          autocapitalize="off"
          spellcheck="false"
          .value=${live(this.topic)}
          aria-invalid=${this.complaint === "topicBad"}
          aria-describedby=${this.complaint ? "publish-complaint" : nothing}
          @input=${(event: Event) => {
            this.topic = text(event);
            this.complaint = undefined;
          }}
      /></label>
      <datalist id="publish-topics">
        ${[...this.lab.mqtt.topics.keys()].slice(-30).map((topic) => html`<option value=${topic}></option>`)}
      </datalist>
      <label class="field wide"
        ><span>${t("payload")}</span>
        <input
          id="publish-payload"
          type="text"
          autocomplete="off"
          autocapitalize="off"
          spellcheck="false"
          .value=${live(this.payload)}
          @input=${(event: Event) => (this.payload = text(event))}
      /></label>
      <div class="publish-end">
        <label class="field inline"
          ><span>${t("qos")}</span>
          <select .value=${live(String(this.qos))} @change=${(event: Event) => (this.qos = Number(text(event)))}>
            ${[0, 1, 2].map((qos) => html`<option value=${qos}>${qos}</option>`)}
          </select></label
        >
        <label class="check"
          ><input
            type="checkbox"
            .checked=${live(this.retain)}
            @change=${(event: Event) => (this.retain = (event.target as HTMLInputElement).checked)}
          />${t("retain")}</label
        >
        <button type="submit" class="primary">${t("publish")}</button>
      </div>
      <p id="publish-complaint" class="complaint" role="alert">${this.complaint ? t(this.complaint, { address: this.lab.broker.address }) : nothing}</p>
    </form>`;
  }

  private publish(): void {
    const { topic, payload, qos, retain } = this;
    const bad = topic === "" || /[+#\0]/.test(topic) || new TextEncoder().encode(topic).length > LONGEST;
    const { running, external } = this.lab.broker;
    const down = external ? "brokerUnreachable" : "brokerDown";
    this.complaint = bad ? "topicBad" : running ? undefined : down;
    if (this.complaint === undefined) {
      this.lab.send({ type: "publish", topic, payload, qos, retain });
    } else if (bad) {
      document.querySelector<HTMLInputElement>("#publish-topic")?.focus();
    }
    this.changed();
  }
}
