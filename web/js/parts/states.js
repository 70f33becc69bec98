// What stands where an answer will be: waiting, nothing there, or what went wrong and what to do.

import { bdi, button, el } from "../dom.js";
import { onRecovery, suspect } from "../health.js";

export const empty = (title, message) =>
  el("div", { class: "state", "data-state": "empty" }, el("strong", {}, title), message ? el("p", {}, message) : null);

export function failed({ title = "That did not work", message, retry, code }) {
  return el("div", { class: "state failed", "data-state": "failed", "data-code": code, role: "alert" },
    el("strong", {}, title), el("p", {}, message), retry ? button("Try again", retry) : null);
}

export function loading(height = 140) {
  const block = el("div", { class: "skeleton", "aria-hidden": "true" });
  block.style.height = `${height}px`;
  return el("div", { "data-state": "loading", role: "status", "aria-label": "Loading" }, block);
}

const TITLES = { database_unavailable: "The database is away", overloaded: "The server is busy", timeout: "It took too long" };

/// What went wrong, in a few words.
export const titleOf = (error) => TITLES[error.code] ?? (error.passing ? "No answer" : "That did not work");

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/// What takes longer shows that it goes on.
const SLOW_MS = 200;

/// A place whose content may be veiled while it cannot be shown. The content stays beneath, so that a failure that passes
/// loses nothing.
export class Place {
  #veil = null;
  #stop = null;
  #said = null;
  #closed = false;
  #slow = null;

  /// `element` says what is the matter; what is covered is `beneath`.
  constructor(element, beneath = element) {
    Object.assign(this, { element, beneath });
    beneath.classList.add("veiled");
    element.classList.add("lined");
    element.append(el("div", { class: "busy-line" }));
    element.dataset.state = "loading";
  }

  busy() {
    this.element.setAttribute("aria-busy", "true");
    this.#slow ??= setTimeout(() => this.element.classList.add("slow"), SLOW_MS);
  }

  /// Nothing is waited for any more; what is there stays.
  rest() {
    this.element.removeAttribute("aria-busy");
    clearTimeout(this.#slow);
    this.#slow = null;
    this.element.classList.remove("slow");
  }

  ready() {
    this.#unveil();
    this.rest();
    this.element.dataset.state = "ready";
  }

  empty(title, message) {
    this.#cover(empty(title, message), "empty");
  }

  /// `retry` is called by the button, and by itself once what passes has passed.
  failed(error, retry) {
    // Whoever has left does not wait for what was asked.
    if (this.#closed) return;
    if (error.passing) {
      suspect();
      this.#cover(failed({
        title: titleOf(error), code: error.code,
        message: `${error.message} This is asked again as soon as it is back.`, retry,
      }), "failed");
      this.#stop ??= onRecovery(retry);
    } else {
      this.#cover(failed({ title: titleOf(error), message: bdi(sentence(error.message)), retry, code: error.code }), "failed");
    }
  }

  #cover(what, state) {
    this.rest();
    const said = JSON.stringify([state, what.dataset.code, what.textContent]);
    // Made anew, it would be announced again, and the focus on its button lost.
    if (said === this.#said && this.#veil?.parentNode === this.beneath) return;
    this.#unveil();
    this.#said = said;
    this.element.dataset.state = state;
    this.#veil = el("div", { class: "veil" }, what);
    this.beneath.append(this.#veil);
  }

  #unveil() {
    this.#veil?.remove();
    this.#veil = null;
    this.#stop?.();
    this.#stop = null;
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#slow);
    this.#unveil();
  }
}

/// A card: a title, what stands at the end of its line, and a body.
export function card(title, { end = [], id, footer, label } = {}, ...children) {
  const body = el("div", { class: "body" }, ...children);
  const element = el("section", { class: "card", id, "aria-label": label ?? (typeof title === "string" ? title : null) },
    el("header", {}, typeof title === "string" ? el("h2", {}, title) : title, el("div", { class: "end" }, end)), body, footer);
  return { element, body, place: new Place(element, body) };
}
