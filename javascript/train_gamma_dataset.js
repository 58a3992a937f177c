// What all scripts of the Dataset tab share: the page's elements, the server, and what is known of the loaded dataset.
// Runs in the WebUI's page and in the stand-alone one. The only global of these scripts is `train_gamma_dataset`.

var train_gamma_dataset = train_gamma_dataset || {};

(function(ds) {
    "use strict";

    const API = "./train-gamma/v1/"; // relative, so that a page under a subpath finds it
    const PARTS = ["lists", "folder", "tags", "grid", "picture", "complete", "edits", "prune", "check", "prepare", "saved"];
    const PAGE_MS = 200;

    let root = null;
    const handlers = {};
    const busy = new Set();

    /** What the server says of the loaded dataset; `id` is null before one is loaded. */
    ds.now = {id: null, version: 0, pictures: 0, changed: 0, conflicts: 0};
    /** What each button does, by its `data-ds-do`. Gets the button and the event. */
    ds.doing = ds.doing || {};
    /** What each script does when the page is there. */
    ds.starts = ds.starts || {};

    // -- the page -----------------------------------------------------------------------------------------------------

    ds.app = () => typeof gradioApp === "function" ? gradioApp() : document;
    ds.root = () => root;
    ds.el = name => root.querySelector(`[data-ds="${name}"]`);
    ds.button = name => root.querySelector(`[data-ds-do="${name}"]`);
    ds.value = name => ds.el(name).value.trim();
    ds.isTicked = name => ds.el(name).checked;
    ds.whole = name => ds.value(name) === "" ? null : Math.max(0, Math.round(Number(ds.value(name)) || 0));
    ds.isSeen = () => root !== null && root.offsetParent !== null && !document.hidden;

    ds.make = function(tag, text, attributes, ...children) {
        const element = document.createElement(tag);
        if (text) element.textContent = text;
        for (const [name, value] of Object.entries(attributes || {})) {
            if (name.startsWith("aria-")) element.setAttribute(name, String(value));
            else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
        }
        element.append(...children.filter(child => child !== null));
        return element;
    };

    ds.makeButton = (text, press, attributes) => {
        const made = ds.make("button", text, {type: "button", ...attributes});
        made.addEventListener("click", () => ds.carefully(press));
        return made;
    };

    ds.write = function(name, text) {
        const element = ds.el(name);
        if (element.textContent !== text) element.textContent = text;
    };

    /** Shows something or hides it; the focus moves on when it was in what is hidden. */
    ds.show = function(name, visible) {
        const element = ds.el(name) || ds.button(name), hadFocus = element.contains(document.activeElement);
        element.hidden = !visible;
        if (hadFocus && !visible) ds.focusNear(element);
    };

    /** Enables a button or not; the focus moves on when it was on a button that cannot be pressed any more. */
    ds.enable = function(name, isOn) {
        const button = ds.button(name);
        if (button.disabled === !isOn) return;
        const hadFocus = document.activeElement === button;
        button.disabled = !isOn;
        if (hadFocus && !isOn) ds.focusNear(button);
    };

    /** Puts the focus on the first thing around an element that can take it. */
    ds.focusNear = function(element) {
        for (let around = element.parentElement; around && root.contains(around); around = around.parentElement) {
            const found = Array.from(around.querySelectorAll("button, input, select, textarea, summary, [tabindex='0']"));
            const first = found.find(one => !one.disabled && one.offsetParent !== null && one.tabIndex >= 0);
            if (first) {
                first.focus({preventScroll: true});
                return;
            }
        }
    };

    ds.isTyping = target => target instanceof Element && target.matches("textarea, select, input:not([type=checkbox]):not([type=radio])");

    ds.count = (count, word) => `${count.toLocaleString("en")} ${count === 1 ? word : word.endsWith("y") ? word.slice(0, -1) + "ies" : word + "s"}`;
    ds.percent = share => share >= 0.995 && share < 1 ? "99%" : share > 0 && share < 0.005 ? "<1%" : `${Math.round(100 * share)}%`;
    /** A tag as it is compared. */
    ds.key = tag => tag.toLowerCase().replaceAll("_", " ").replace(/\s+/g, " ").trim();

    ds.later = function(wait, work) {
        let timer = 0;
        return (...given) => {
            clearTimeout(timer);
            timer = setTimeout(() => ds.carefully(() => work(...given)), wait);
        };
    };

    // -- messages -----------------------------------------------------------------------------------------------------

    /** Says something above the lists, which is read out too. Kinds: done, note, warning, error. */
    ds.say = function(text, kind) {
        const box = ds.make("div", "", {class: `tg-message tg-${kind || "done"}`});
        if (kind === "error") box.append(ds.make("strong", "Error"), " ");
        for (const line of text.split("\n")) if (line.trim()) box.append(ds.make("p", line.replace(/^- /, "")));
        ds.el("message").replaceChildren(box);
    };

    ds.hush = () => ds.el("message").replaceChildren();

    /** Runs what somebody asked for; says what went wrong instead of throwing it. */
    ds.carefully = async function(work) {
        try {
            return await work();
        } catch (error) {
            if (error instanceof ds.Overtaken) {
                if (error.message) ds.say(error.message, "note");
            } else if (error instanceof ds.Refused) await ds.refused(error);
            else if (error instanceof TypeError && /fetch/i.test(error.message)) ds.say("The server is not reachable. Try again in a moment.", "error");
            else throw error;
            return undefined;
        }
    };

    /**
     * Asks in a dialog. `choices` are [answer, text, isPrimary]; resolves to the answer, "" for Cancel and Escape, and also
     * when the pictures are other ones by then: what was asked about is not what an answer would be made of.
     */
    ds.ask = function(title, content, choices) {
        const before = document.activeElement, about = ds.listOf(ds.now);
        const dialog = ds.make("dialog", "", {"aria-label": title, class: "tg-ds-dialog"});
        const buttons = choices.map(([answer, text, isPrimary]) => {
            const button = ds.make("button", text, {type: "button", class: isPrimary ? "tg-primary" : null, "data-answer": answer});
            button.addEventListener("click", () => dialog.close(answer));
            return button;
        });
        const nodes = content.map(one => typeof one === "string" ? ds.make("p", one) : one);
        dialog.append(ds.make("h3", title), ds.make("div", "", {class: "tg-ds-asked"}, ...nodes), ds.make("div", "", {class: "tg-ds-row"}, ...buttons));
        dialog.addEventListener("keydown", event => event.stopPropagation()); // the WebUI takes Esc for Interrupt
        root.append(dialog);
        dialog.showModal();
        (buttons.find(button => button.classList.contains("tg-primary")) || buttons[0]).focus();
        return new Promise(resolve => dialog.addEventListener("close", () => {
            dialog.remove();
            if (before && before.isConnected) before.focus({preventScroll: true});
            const isSame = about === ds.listOf(ds.now);
            if (!isSame && dialog.returnValue) ds.say("The pictures are other ones now. Nothing was done; ask for it again.", "warning");
            resolve(isSame ? dialog.returnValue : "");
        }));
    };

    // -- the server ---------------------------------------------------------------------------------------------------

    /** An answer that says that something was not done, and why. */
    ds.Refused = class extends Error {
        constructor(status, detail, reason) {
            super(typeof detail === "string" ? detail : `The server answers ${status}.`);
            this.status = status;
            this.reason = reason || ""; // of 409: stale, conflict, unsaved, busy, exists
        }
    };

    /** An answer about a dataset that is not the loaded one any more. The message is empty when nobody needs to know. */
    ds.Overtaken = class extends Error {};

    /** What tells a list of pictures from another one, so that an index means the same picture. */
    ds.listOf = state => `${state.id} ${state.pictures_key === undefined ? state.pictures : state.pictures_key}`;

    ds.call = async function(path, method, body) {
        const headers = {"X-Train-Gamma-Token": root.dataset.token};
        if (body !== undefined) headers["Content-Type"] = "application/json";
        const response = await fetch(API + path, {method: method || "GET", headers: headers, body: body === undefined ? undefined : JSON.stringify(body)});
        return (await checked(response)).json();
    };

    async function checked(response) {
        if (response.ok) return response;
        const answer = await response.json().catch(() => ({}));
        throw new ds.Refused(response.status, answer.detail, response.headers.get("X-Train-Gamma-Reason"));
    }

    const own = path => `datasets/${ds.now.id}${path ? "/" + path : ""}`;

    /** Waits for an answer about the loaded dataset, which is not to be gone on with when another one is loaded meanwhile. */
    async function about(work, isChange) {
        const {id, name} = ds.now, isNow = () => id === ds.now.id;
        let answer = null;
        try {
            answer = await work;
        } catch (error) {
            if (isNow()) throw error;
            throw new ds.Overtaken(isChange ? `${name}, which is not loaded any more: ${error.message}` : "");
        }
        if (isNow()) return answer;
        if (answer.state) ds.remember(answer.state);
        throw new ds.Overtaken(isChange ? `What you asked for in ${name} is done. Another folder is loaded now.` : "");
    }

    ds.get = path => about(ds.call(own(path)), false);
    ds.post = (path, body) => about(ds.call(own(path), "POST", body || {}), Boolean(body) && "version" in body && !body.preview);
    const signed = (path, asked) => `${API}${own(path)}?${new URLSearchParams({...asked, token: root.dataset.token})}`;
    ds.thumbnail = (index, size, stamp) => signed(`thumbnails/${index}`, {size: size, v: stamp || ""});
    ds.addressOf = path => signed(path, {});

    /** A picture that the server makes from what is sent, as an address. */
    ds.postForPicture = async function(path, body) {
        const headers = {"X-Train-Gamma-Token": root.dataset.token, "Content-Type": "application/json"};
        const response = await fetch(API + own(path), {method: "POST", headers: headers, body: JSON.stringify(body)});
        return URL.createObjectURL(await (await checked(response)).blob());
    };

    // -- what happens -------------------------------------------------------------------------------------------------

    /**
     * Events: opened (another dataset), renumbered (pictures came or went), changed (captions), filter, selection, picture
     * (another one is shown), part (of the side panel), saved.
     */
    ds.on = (event, handler) => (handlers[event] = handlers[event] || []).push(handler);
    ds.tell = (event, detail) => Promise.all((handlers[event] || []).map(handler => handler(detail)));

    async function press(button, event) {
        const name = button.dataset.dsDo;
        if (busy.has(name) || button.disabled || !ds.doing[name]) return;
        busy.add(name);
        try {
            await ds.carefully(() => ds.doing[name](button, event));
        } finally {
            busy.delete(name);
        }
    }

    // -- the side panel -----------------------------------------------------------------------------------------------

    ds.part = () => root.querySelector("[data-ds-tab][aria-selected=true]").dataset.dsTab;

    ds.openPart = function(name, focus) {
        for (const tab of root.querySelectorAll("[data-ds-tab]")) {
            const isOpen = tab.dataset.dsTab === name;
            tab.setAttribute("aria-selected", isOpen);
            tab.tabIndex = isOpen ? 0 : -1;
            if (isOpen && focus) tab.focus();
        }
        for (const panel of root.querySelectorAll("[data-ds-panel]")) panel.hidden = panel.dataset.dsPanel !== name;
        ds.carefully(() => ds.tell("part", name));
    };

    /** Opens another tab of the page, by its name. */
    ds.openTab = function(name) {
        const buttons = Array.from(ds.app().querySelectorAll("#train_gamma_tabs button"));
        buttons.find(button => button.textContent.trim() === name && !root.contains(button)).click();
    };

    function onTabKey(event) {
        const tabs = Array.from(root.querySelectorAll("[data-ds-tab]")), at = tabs.indexOf(event.target);
        const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1}[event.key];
        if (at < 0 || to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        ds.openPart(tabs[(to + tabs.length) % tabs.length].dataset.dsTab, true);
    }

    // -- start --------------------------------------------------------------------------------------------------------

    function start() {
        root.addEventListener("click", event => {
            const button = event.target.closest("[data-ds-do]"), tab = event.target.closest("[data-ds-tab]");
            if (button) press(button, event);
            if (tab) ds.openPart(tab.dataset.dsTab, true);
        });
        root.querySelector("[role=tablist]").addEventListener("keydown", onTabKey);
        for (const [event, isBroken] of [["error", true], ["load", false]]) { // they do not bubble
            root.addEventListener(event, seen => seen.target.matches("img") && seen.target.classList.toggle("tg-ds-broken", isBroken), true);
        }
        for (const name of PARTS) ds.starts[name]();
        // the scripts of the other tabs, and the WebUI's, listen too; nothing here is meant for them
        for (const event of ["input", "change", "focusout", "keydown"]) root.addEventListener(event, stopped => stopped.stopPropagation());
    }

    function waitForPage(ms) {
        const found = ds.app().querySelector("#train_gamma_dataset [data-ds-root]");
        if (found && PARTS.every(name => ds.starts[name])) {
            root = found;
            start();
        } else setTimeout(waitForPage, ms, Math.min(2000, ms + 50)); // a tab that is hidden in the settings never comes
    }

    waitForPage(PAGE_MS);
})(train_gamma_dataset);
