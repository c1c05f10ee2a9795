//! Decides what stands in the MQTT panel: one of messages with their topics, packets, plot and clients, and the form to
//! publish below all of them.

import { html, nothing, render, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";

import { t } from "../i18n";
import { Plot } from "../plot";
import { touch } from "../schedule";
import type { Lab } from "../state";
import { tabKey } from "../tabs";
import type { Message, PacketRow } from "./model";
import { messageList } from "./messages";
import { packetList } from "./packets";
import { PublishForm } from "./publish";
import { TopicTree } from "./topics";

const TABS = ["messages", "packets", "plot", "clients"] as const;
type Tab = (typeof TABS)[number];

export class MqttPanel {
  readonly root = document.createElement("section");
  readonly plot = new Plot();
  private tab: Tab = "messages";
  private readonly tree = new TopicTree(() => touch("mqtt"));
  private readonly form: PublishForm;
  private hidePings = true;
  private client: string | undefined;
  /** What is shown while the lists stand still. */
  private frozen: { messages: readonly Message[]; packets: readonly PacketRow[] } | undefined;

  constructor(private readonly lab: Lab) {
    this.root.className = "panel mqtt";
    this.root.setAttribute("aria-labelledby", "mqtt-title");
    this.form = new PublishForm(lab, () => touch("mqtt"));
  }

  update(): void {
    render(this.template(), this.root);
    this.updatePlot();
  }

  updatePlot(): void {
    if (this.tab === "plot") {
      this.plot.update(this.lab.series);
    }
  }

  private template(): TemplateResult {
    const { mqtt, broker } = this.lab;
    return html`<header>
        <h2 id="mqtt-title">${t("mqtt")}</h2>
        <span class="broker ${broker.running ? "up" : "down"}" title=${broker.secure ? t("brokerSecure", { address: broker.secure }) : nothing}
          ><span class="dot" aria-hidden="true"></span>${broker.running ? html`${t("broker")} <span class="mono">${broker.address}</span>` : broker.external ? t("brokerUnreachable", { address: broker.address }) : t("brokerStopped")}</span
        >
      </header>
      <div class="tabbar">
        <div class="tabs" role="tablist" aria-label=${t("mqtt")} @keydown=${tabKey}>
          ${TABS.map(
          (tab) => html`<button
            type="button"
            role="tab"
            id="mqtt-tab-${tab}"
            aria-controls="mqtt-view"
            aria-selected=${tab === this.tab}
            tabindex=${tab === this.tab ? 0 : -1}
            @click=${() => this.show(tab)}
          >
            ${t(tab)}
          </button>`,
          )}
        </div>
        ${this.tab === "messages" || this.tab === "packets" ? this.tools() : nothing}
      </div>
      ${mqtt.dropped > 0 ? html`<p class="hint warn">${t("lostEvents", { count: mqtt.dropped })}</p>` : nothing}
      ${this.frozen ? html`<p class="hint">${t("paused")}</p>` : nothing}
      <div class="view view-${this.tab}" id="mqtt-view" role="tabpanel" aria-labelledby="mqtt-tab-${this.tab}">${this.view()}</div>
      ${this.form.render()}`;
  }

  private show(tab: Tab): void {
    this.tab = tab;
    touch("mqtt");
  }

  private tools(): TemplateResult {
    const { messages, packets } = this.lab.mqtt;
    return html`<span class="tab-tools">
      <button
        type="button"
        class="quiet"
        @click=${() => {
          this.frozen = this.frozen ? undefined : { messages: [...messages.all()], packets: [...packets.all()] };
          touch("mqtt");
        }}
      >
        ${t(this.frozen ? "resume" : "pause")}
      </button>
      <button
        type="button"
        class="quiet"
        @click=${() => {
          this.lab.mqtt.clear();
          this.lab.series.clear();
          this.frozen = undefined;
          touch("mqtt", "plot");
        }}
      >
        ${t("clear")}
      </button>
    </span>`;
  }

  private view(): TemplateResult | HTMLElement {
    const { mqtt, broker } = this.lab;
    if (broker.external && (this.tab === "packets" || this.tab === "clients")) {
      return html`<p class="empty">${t("outsideHidden", { address: broker.address })}</p>`;
    }
    switch (this.tab) {
      case "messages":
        return html`<div class="topics">${this.tree.render(mqtt)}</div>
          ${messageList(
            this.frozen?.messages ?? mqtt.messages.all(),
            this.tree.selected,
            (topic) => this.tree.matches(topic),
            (topic) => this.form.use(topic),
          )}`;
      case "packets":
        return html`${this.filters()} ${packetList(this.frozen?.packets ?? mqtt.packets.all(), this.client, this.hidePings)}`;
      case "plot":
        return this.plot.root;
      case "clients":
        return this.clients();
    }
  }

  private filters(): TemplateResult {
    const names = [...new Set(this.lab.mqtt.packets.all().map(({ client }) => client))].filter(Boolean).sort();
    return html`<div class="filters">
      <label class="field inline"
        ><span class="visually-hidden">${t("client")}</span>
        <select
          @change=${(event: Event) => {
            this.client = (event.target as HTMLSelectElement).value || undefined;
            touch("mqtt");
          }}
        >
          <option value="" ?selected=${this.client === undefined}>${t("allClients")}</option>
          ${names.map((name) => html`<option value=${name} ?selected=${this.client === name}>${name}</option>`)}
        </select></label
      >
      <label class="check"
        ><input
          type="checkbox"
          .checked=${live(this.hidePings)}
          @change=${(event: Event) => {
            this.hidePings = (event.target as HTMLInputElement).checked;
            touch("mqtt");
          }}
        />${t("hidePings")}</label
      >
    </div>`;
  }

  private clients(): TemplateResult {
    const { clients } = this.lab.mqtt;
    if (clients.length === 0) {
      return html`<p class="empty">${t("clientsEmpty")}</p>`;
    }
    return html`<ul class="clients" tabindex="0" aria-label=${t("clients")}>
      ${clients.map(
        (client) => html`<li class=${client.connection ? "" : "away"}>
          <div class="meta">
            <span class="mono">${client.client_id}</span>
            ${client.connection ? html`<span class="hint mono">${client.connection[1]}</span>` : html`<span class="tag warn">${t("away")}</span>`}
          </div>
          <div class="by">
            ${client.subscriptions.length === 0
              ? t("subscribedNothing")
              : html`${t("subscribedTo")} ${client.subscriptions.map(([filter, qos]) => html`<span class="tag">${filter} · QoS ${qos}</span>`)}`}
          </div>
          ${client.waiting > 0 ? html`<div class="by">${t("messagesWaiting", { count: client.waiting })}</div>` : nothing}
        </li>`,
      )}
    </ul>`;
  }
}
