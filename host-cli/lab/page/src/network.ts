//! Decides the controls with which the network fails on purpose: the board's Wi-Fi, a slow or lossy link, the broker.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";

import { number, t } from "./i18n";
import type { BrokerInfo } from "./protocol";
import type { Board, Lab } from "./state";

/** Milliseconds, and percent of the packets. */
const LONGEST_DELAY = 3000;
const MOST_LOSS = 50;

const WIFI = { off: "wifiOff", connecting: "wifiConnecting", connected: "wifiConnected" } as const;

export function toggle(label: string, on: boolean, set: (on: boolean) => void, disabled = false): TemplateResult {
  return html`<button
    type="button"
    class="switch"
    role="switch"
    aria-checked=${on}
    ?disabled=${disabled}
    @click=${() => set(!on)}
  >
    <span class="track" aria-hidden="true"></span><span>${label}</span>
  </button>`;
}

export function networkPanel(lab: Lab, board: Board): TemplateResult {
  const { network, id } = board.info;
  const failing = !lab.broker.running || (network && (network.cut || network.delay_ms > 0 || network.loss > 0));
  const set = (change: { cut?: boolean; delay_ms?: number; loss?: number }) =>
    lab.send({ type: "network", board: id, ...change });
  return html`<details class="network ${failing ? "failing" : ""}" open>
    <summary>${t("network")}</summary>
    <div class="network-body">
      ${network
        ? html`<p class="wifi wifi-${network.cut ? "cut" : network.wifi}">
              <span class="dot" aria-hidden="true"></span>${t("wifi")}: <strong>${t(WIFI[network.wifi])}</strong>
            </p>
            ${toggle(t("cut"), network.cut, (cut) => set({ cut }))}
            ${range(t("delay"), network.delay_ms, LONGEST_DELAY, 50, t("ms", { value: network.delay_ms }), (delay_ms) => set({ delay_ms }))}
            ${range(t("loss"), network.loss, MOST_LOSS, 1, t("percent", { value: number(network.loss) }), (loss) => set({ loss }))}`
        : html`<p class="hint">${t(realHint(lab.broker), { address: lab.broker.address })}</p>`}
      ${toggle(t("brokerSwitch"), lab.broker.running, (running) => lab.send({ type: "broker", running }), lab.broker.external)}
      ${lab.broker.external ? html`<p class="hint">${t("brokerExternal", { address: lab.broker.address })}</p>` : nothing}
    </div>
  </details>`;
}

/** How the program of a real board finds the broker. */
function realHint(broker: BrokerInfo): "realOutside" | "realLan" | "realNoLan" {
  return broker.external ? "realOutside" : broker.lan ? "realLan" : "realNoLan";
}

function range(
  label: string,
  value: number,
  max: number,
  step: number,
  text: string,
  set: (value: number) => void,
): TemplateResult {
  return html`<label class="slider">
    <span>${label}</span>
    <input
      type="range"
      min="0"
      max=${max}
      step=${step}
      .value=${live(String(value))}
      aria-label=${label}
      aria-valuetext=${text}
      @change=${(event: Event) => set(Number((event.target as HTMLInputElement).value))}
    />
    <output>${text}</output>
  </label>`;
}
