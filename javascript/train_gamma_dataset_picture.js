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
    ds.starts = ds.starts || {};
    ds.doing = ds.doing || {};

    /** Shows a picture large; `open`: also opens the part of the panel that it is in, and goes there. */
    ds.showPicture = async function(which, open) {
        index = which;
        if (open || ds.part() !== "picture") ds.openPart("picture", Boolean(open));
        await Promise.all([draw(), ds.markCurrent(index)]);
        await ds.tell("picture", index);
    };

    ds.currentPicture = () => index;

    async function draw() {
        if (index < 0) return;
        const mine = ++asked;
        const answer = await ds.get(`pictures/${index}`);
        if (mine !== asked) return;
        const isOther = shown === null || shown.index !== answer.index;
        shown = answer;
        ds.show("no_picture", false);
        ds.show("one", true);
        drawHead();
        box.redraw(shown.tags.map(chip));
        ds.el("one_tags").hidden = shown.plain || Boolean(shown.problem);
        drawSeen();
        if (isOther || document.activeElement !== ds.el("one_text")) ds.el("one_text").value = shown.text;
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
        const sentence = shown.plain ? "This caption is no list of tags. It stays as it is; change it as text." : "";
        const problem = shown.problem || sentence || (shown.shared.length ? "Other pictures have the same caption file; it changes for all of them." : "");
        ds.write("one_problem", problem);
        ds.show("one_problem", problem !== "");
        ds.write("one_tokens", shown.tokens === null ? "" : ds.count(shown.tokens, "token"));
        const isPlain = shown.plain || Boolean(shown.problem);
        ds.el("one_add").disabled = Boolean(shown.problem);
        if (isPlain) ds.el("one_raw").open = true;
    }

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
            if (from >= 0 && from !== to) ds.carefully(() => move(from, to));
        });
        return item;
    }

    /** What the tagger saw and the caption has not: one click adds it. */
    function drawSeen() {
        const list = ds.el("one_seen");
        const hadFocus = list.contains(document.activeElement);
        list.replaceChildren(...shown.seen.map(one => ds.make("li", "", {},
            ds.makeButton(`${one.tag} ${ds.percent(one.confidence)}`, () => add([one.tag]), {"aria-label": `Add ${one.tag}, the tagger is sure by ${ds.percent(one.confidence)}`, class: "tg-chip"}))));
        ds.show("one_seen_part", shown.seen.length > 0);
        if (hadFocus) (list.querySelector("button") || ds.el("one_add")).focus({preventScroll: true});
    }

    const texts = () => shown.tags.map(one => one.text);

    async function set(tags) {
        await ds.change("edit", {action: "set", picture: index, tags: tags});
    }

    const takeOut = text => set(texts().filter(other => other !== text));

    async function move(from, to) {
        const tags = texts();
        tags.splice(to, 0, ...tags.splice(from, 1));
        await set(tags);
    }

    async function add(tags) {
        const there = new Set(shown.tags.map(one => ds.key(one.tag)));
        const missing = tags.filter(tag => tag && !there.has(ds.key(tag.replace(/\\([()\\])/g, "$1")))); // typed as captions have it
        if (!missing.length) {
            ds.say("The caption has that already.", "note");
            return;
        }
        await set([...texts(), ...missing]);
    }

    function onChipKey(item, event) {
        const at = box.items().indexOf(item);
        if (event.key === "Delete" || event.key === "Backspace") {
            ds.carefully(() => takeOut(item.dataset.key));
            return true;
        }
        const to = {ArrowLeft: at - 1, ArrowRight: at + 1}[event.key];
        if (!event.shiftKey || event.altKey || to === undefined) return false;
        if (to >= 0 && to < shown.tags.length) ds.carefully(() => move(at, to));
        return true;
    }

    // -- text, copies, turning over -----------------------------------------------------------------------------------

    ds.doing.one_text_apply = async function() {
        await ds.change("edit", {action: "text", picture: index, text: ds.el("one_text").value});
        ds.say(`The caption of ${shown.name} is changed. Nothing is written yet.`);
    };

    ds.doing.one_text_back = () => {
        ds.el("one_text").value = shown.text;
    };

    async function copy(mode) {
        const to = ds.selected().filter(other => other !== index);
        if (!to.length) {
            ds.write("one_copy_told", "Select pictures first: Space, or a click on the box of a picture.");
            return;
        }
        const answer = await ds.change("edit", {action: "copy", picture: index, mode: mode, scope: "selected", selected: to});
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
        ds.completes(ds.el("one_add"), typed => ds.carefully(() => add(typed.split(",").map(tag => tag.trim()))));
        document.addEventListener("keydown", onKey, true);
        ds.root().querySelector(".tg-ds-side").addEventListener("keydown", event => {
            if (event.key !== "Escape" || event.defaultPrevented) return;
            event.preventDefault();
            ds.focusPicture(index);
        });
        for (const event of ["opened", "renumbered"]) {
            ds.on(event, () => {
                [index, shown] = [-1, null];
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
