// The Dataset tab's view of one picture: turning over, its tags as chips, its caption as text, and its tags for others.

var train_gamma_dataset = train_gamma_dataset || {};

(function(ds) {
    "use strict";

    const SIZE = 640;

    let index = -1;
    let shown = null; // what the server says of the picture
    let box = null;
    let dragged = null;
    let asked = 0; // an answer that was overtaken is not shown
    let drawing = Promise.resolve(); // the last time that the picture was asked for
    let queue = Promise.resolve(); // changes of tags, one after the other
    let turns = 0; // changes that wait are not made when one before them was refused, or the pictures are other ones
    let typed = null; // while text was typed that is not taken over: {index, name, text, version} as it was when typing began
    ds.starts = ds.starts || {};
    ds.doing = ds.doing || {};

    /** Shows a picture large; `open`: also opens the part of the panel that it is in, and goes there. */
    ds.showPicture = async function(which, open) {
        if (which !== index && !await ds.settleTyped()) return;
        index = which;
        if (open || ds.part() !== "picture") ds.openPart("picture", Boolean(open));
        await Promise.all([draw(), ds.markCurrent(index)]);
        await ds.tell("picture", index);
    };

    ds.currentPicture = () => index;

    const draw = () => drawing = drawNow();

    /** Shows the picture as it is now; waits for the last answer when it was asked for again meanwhile. */
    async function drawNow() {
        if (index < 0) return;
        const mine = ++asked;
        const answer = await ds.get(`pictures/${index}`);
        if (mine !== asked) {
            await drawing;
            return;
        }
        shown = answer;
        ds.show("no_picture", false);
        ds.show("one", true);
        drawHead();
        box.redraw(shown.tags.map(chip));
        ds.el("one_tags").hidden = shown.plain || Boolean(shown.problem);
        drawSeen();
        drawText();
    }

    function drawHead() {
        const image = ds.el("one_picture"), source = ds.thumbnail(index, SIZE, shown.stamp);
        if (image.getAttribute("src") !== source) image.src = source;
        image.alt = `Picture ${shown.name}`;
        image.width = shown.width || SIZE;
        image.height = shown.height || SIZE;
        ds.write("one_name", `${shown.name}${shown.width ? `, ${shown.width} \u00d7 ${shown.height}` : ""}${shown.changed ? ", unsaved" : ""}`);
        const at = ds.shownIndices().indexOf(index);
        ds.write("one_place", at < 0 ? "not among those shown" : `${at + 1} of ${ds.shownIndices().length}`);
        const sentence = shown.plain ? "This caption is a sentence; change it as text." : "";
        const problem = shown.problem || sentence || (shown.shared.length ? "Other pictures have the same caption file; it changes for all of them." : "");
        ds.write("one_problem", problem);
        ds.show("one_problem", problem !== "");
        ds.write("one_tokens", shown.tokens === null ? "" : ds.count(shown.tokens, "token"));
        const field = ds.el("one_add"), hadFocus = document.activeElement === field;
        field.disabled = !hasTags(shown);
        if (hasTags(shown)) return;
        ds.el("one_raw").open = true;
        if (hadFocus) ds.el("one_text").focus({preventScroll: true});
    }

    /** Whether a caption is a list of tags, which tags may be put into. */
    const hasTags = one => !one.plain && !one.problem;

    // -- chips --------------------------------------------------------------------------------------------------------

    function chip(one) {
        const sure = one.confidence === null ? "" : ds.percent(one.confidence);
        const away = ds.makeButton("\u00d7", () => takeOut(one.text), {"aria-label": `Take out ${one.tag}`, tabindex: "-1", class: "tg-ds-away"});
        const told = [one.tag, one.text === one.tag ? "" : `written ${one.text}`, sure && `the tagger is sure by ${sure}`, ds.count(one.count, "picture")].filter(part => part);
        const item = ds.make("li", "", {
            role: "option", "data-key": one.text, class: `tg-chip tg-ds-${one.class}`, draggable: "true", "aria-label": told.join(", "), title: told.slice(1).join(", "),
        }, ds.make("span", one.tag), sure ? ds.make("span", sure, {class: "tg-ds-sure"}) : null, away);
        item.addEventListener("dragstart", event => {
            dragged = item;
            event.dataTransfer.effectAllowed = "move";
            event.dataTransfer.setData("text/plain", one.tag);
        });
        item.addEventListener("dragover", event => dragged && event.preventDefault());
        item.addEventListener("drop", event => {
            event.preventDefault();
            const from = box.items().indexOf(dragged), to = box.items().indexOf(item);
            dragged = null;
            if (from >= 0 && from !== to) move(from, to);
        });
        return item;
    }

    /** What the tagger saw and the caption has not: one click adds it. */
    function drawSeen() {
        const list = ds.el("one_seen");
        const hadFocus = list.contains(document.activeElement);
        list.replaceChildren(...shown.seen.map(one => ds.make("li", "", {},
            ds.makeButton(`${one.tag} ${ds.percent(one.confidence)}`, () => add([one.tag]), {"aria-label": `Add ${one.tag}, the tagger is sure by ${ds.percent(one.confidence)}`, class: "tg-chip"}))));
        ds.show("one_seen_part", shown.seen.length > 0 && hasTags(shown));
        if (hadFocus) (list.querySelector("button") || ds.el("one_add")).focus({preventScroll: true});
    }

    const textsOf = one => one.tags.map(tag => tag.text);

    /**
     * Changes the tags of the picture that is shown, after the changes that were asked for before. `make` gets the picture
     * as it is then and gives the texts of its tags, or null for no change.
     */
    function set(make) {
        const which = shown.index, mine = turns;
        const change = async () => {
            if (mine !== turns) return true;
            const one = shown && shown.index === which ? shown : await ds.get(`pictures/${which}`);
            const tags = hasTags(one) ? make(one) : null;
            if (!tags) return true;
            await ds.change("edit", {action: "set", picture: which, tags: tags, version: one.version});
            await drawing;
            return true;
        };
        queue = queue.then(async () => {
            if (!await ds.carefully(change)) turns++;
        });
        return queue;
    }

    const takeOut = text => set(one => textsOf(one).filter(other => other !== text));

    function move(from, to) {
        const text = textsOf(shown)[from];
        return set(one => {
            const tags = textsOf(one), at = tags.indexOf(text);
            if (at < 0) return null;
            tags.splice(to, 0, ...tags.splice(at, 1));
            return tags;
        });
    }

    const add = tags => set(one => {
        const there = new Set(one.tags.map(tag => ds.key(tag.tag)));
        const missing = tags.filter(tag => tag && !there.has(ds.key(tag.replace(/\\([()\\])/g, "$1")))); // typed as captions have it
        if (!missing.length) ds.say("The caption has that already.", "note");
        return missing.length ? [...textsOf(one), ...missing] : null;
    });

    function onChipKey(item, event) {
        const at = box.items().indexOf(item);
        if (event.key === "Delete" || event.key === "Backspace") {
            takeOut(item.dataset.key);
            return true;
        }
        const to = {ArrowLeft: at - 1, ArrowRight: at + 1}[event.key];
        if (!event.shiftKey || event.altKey || to === undefined) return false;
        if (to >= 0 && to < shown.tags.length) move(at, to);
        return true;
    }

    // -- the caption as text ------------------------------------------------------------------------------------------

    /** Whether text was typed that is not taken over yet. */
    ds.isTyped = () => typed !== null;

    /** Shows the caption as text, unless something is being typed: then it stands beside that when it was changed. */
    function drawText() {
        const field = ds.el("one_text");
        if (!typed && field.value !== shown.text) field.value = shown.text;
        const isOther = Boolean(typed) && shown.index === typed.index && shown.text !== typed.text;
        ds.write("one_text_now", isOther ? shown.text : "");
        ds.show("one_text_changed", isOther);
    }

    function onType() {
        const text = ds.el("one_text").value;
        if (!typed) typed = {index: shown.index, name: shown.name, text: shown.text, version: shown.version};
        if (text === shown.text && typed.index === shown.index) typed = null;
        drawText();
    }

    function forgetTyped() {
        typed = null;
        drawText();
    }

    /** Puts aside what was typed for a picture that may have another index now. */
    function keepTyped() {
        if (!typed) return;
        ds.write("one_kept_told", `The pictures are other ones now. You had typed this for ${typed.name}, and it was not taken over:`);
        ds.el("one_kept").value = ds.el("one_text").value;
        ds.show("one_kept_part", true);
        typed = null;
    }

    ds.doing.one_kept_away = () => ds.show("one_kept_part", false);

    /** Sends what was typed, made from the captions as they were when typing began. */
    async function takeText() {
        const of = typed || shown, text = ds.el("one_text").value, list = ds.listOf(ds.now);
        const send = version => ds.change("edit", {action: "text", picture: of.index, text: text, version: version});
        try {
            await send(of.version);
        } catch (error) {
            if (error.reason !== "stale") throw error;
            await ds.refused(error);
            await drawing;
            if (!typed || list !== ds.listOf(ds.now)) return;
            if (shown.text !== of.text) {
                typed.version = shown.version; // it will have been seen by the next time
                ds.say(`The caption of ${of.name} was changed meanwhile. What you typed is kept, and what is there now stands beside it. Take your text once more to put it in its place.`, "warning");
                return;
            }
            await send(shown.version); // another caption was changed, not this one
        }
        await drawing;
        if (ds.el("one_text").value === text) forgetTyped();
        else typed = {...of, text: shown.text, version: shown.version}; // typed on meanwhile
        ds.say(`The caption of ${of.name} is changed. Nothing is written yet.`);
    }

    ds.doing.one_text_apply = takeText;
    ds.doing.one_text_back = forgetTyped;

    /** Asks what becomes of text that was typed, when there is any; whether one may go on to something else. */
    ds.settleTyped = async function() {
        if (!typed) return true;
        const choices = [["apply", "Apply", true], ["away", "Throw away", false], ["", "Stay", false]];
        const choice = await ds.ask("Keep what you typed?", [`The text that you typed for ${typed.name} is not taken over yet.`], choices);
        if (choice === "apply") await takeText();
        else if (choice === "away") forgetTyped();
        return choice !== "" && !typed;
    };

    // -- copies, turning over -----------------------------------------------------------------------------------------

    async function copy(mode) {
        const from = shown.index, to = ds.selected().filter(other => other !== from);
        if (!to.length) {
            ds.write("one_copy_told", "Select pictures first: Space, or a click on the box of a picture.");
            return;
        }
        const answer = await ds.change("edit", {action: "copy", picture: from, mode: mode, scope: "selected", selected: to});
        ds.write("one_copy_told", `${ds.count(answer.files, "file")} changed.`);
    }

    ds.doing.one_copy = () => copy("replace");
    ds.doing.one_append = () => copy("append");

    async function turn(by) {
        const all = ds.shownIndices(), at = all.indexOf(index);
        if (!all.length) return;
        await ds.showPicture(all[at < 0 ? 0 : (at + by + all.length) % all.length]);
    }

    ds.doing.previous = () => turn(-1);
    ds.doing.next = () => turn(1);

    function onKey(event) {
        const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
        if (!event.altKey || by === undefined || index < 0 || !ds.isSeen() || ds.isTyping(event.target)) return;
        if (ds.root().querySelector("dialog[open]")) return;
        event.preventDefault(); // the browser would go back a page
        ds.carefully(() => turn(by));
    }

    ds.starts.picture = function() {
        box = ds.listbox(ds.el("one_tags"), {
            enter: item => ds.carefully(() => ds.filterBy(item.querySelector("span").textContent, "have")),
            space: () => {},
            click: () => {},
            key: onChipKey,
        }, true);
        ds.completes(ds.el("one_add"), entered => add(entered.split(",").map(tag => tag.trim())));
        ds.el("one_text").addEventListener("input", onType);
        document.addEventListener("keydown", onKey, true);
        ds.root().querySelector(".tg-ds-side").addEventListener("keydown", event => {
            if (event.key !== "Escape" || event.defaultPrevented) return;
            event.preventDefault();
            ds.focusPicture(index);
        });
        for (const event of ["opened", "renumbered"]) {
            ds.on(event, () => {
                keepTyped();
                turns++;
                asked++;
                [index, shown, drawing] = [-1, null, Promise.resolve()]; // an overtaken answer is not to wait for itself
                ds.show("no_picture", true);
                ds.show("one", false);
            });
        }
        ds.on("changed", draw);
        ds.on("filter", () => {
            if (shown) drawHead();
        });
    };
})(train_gamma_dataset);
