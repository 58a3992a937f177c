// The Dataset tab's pictures: what filters them, their pages, the selection, and one tag corrected over many of them.

var train_gamma_dataset = train_gamma_dataset || {};

(function(ds) {
    "use strict";

    const PAGE = 60;
    const TYPING_MS = 300;
    const SIZE = 256;

    let box = null;
    let tags = {have: [], lack: []}; // what the filter asks of
    let only = null; // pictures that the filter is limited to, and why: {indices, told}
    let found = {total: 0, indices: [], items: []};
    let offset = 0;
    let asked = 0; // an answer that was overtaken is not shown
    let current = -1; // the picture that is shown large
    let selected = new Set();
    let judging = null; // {tag, key, marks: Map of picture to whether it shall have the tag}
    ds.starts = ds.starts || {};
    ds.doing = ds.doing || {};

    ds.selected = () => Array.from(selected);
    ds.shownIndices = () => found.indices;

    // -- the filter ---------------------------------------------------------------------------------------------------

    /** The filter as requests have it. */
    ds.filter = function() {
        const join = ds.value("filter_join");
        const limited = ds.isTicked("filter_selected") ? ds.selected() : null;
        const both = only && limited ? limited.filter(index => only.indices.includes(index)) : null;
        return {
            all: join === "all" ? tags.have : [],
            any: join === "any" ? tags.have : [],
            none: tags.lack,
            untagged: ds.isTicked("filter_untagged"),
            plain: ds.isTicked("filter_plain"),
            changed: ds.isTicked("filter_changed"),
            more_tokens: ds.whole("filter_tokens"),
            fewer_tags: ds.whole("filter_tags"),
            text: ds.value("filter_text"),
            only: both || limited || (only && only.indices),
        };
    };

    const isSame = (one, other) => ds.key(one) === ds.key(other);

    ds.filterStateOf = tag => ["have", "lack"].find(state => tags[state].some(one => isSame(one, tag))) || "";

    /** Shows pictures that have a tag, that lack it, or takes it out of the filter (""). */
    ds.filterBy = function(tag, state) {
        for (const name of ["have", "lack"]) tags[name] = tags[name].filter(one => !isSame(one, tag));
        if (state) tags[state].push(tag);
        return refilter();
    };

    /** Shows these pictures and no others, whatever was asked for before. */
    ds.showOnly = function(indices, told) {
        clear();
        only = {indices: indices, told: told};
        return refilter();
    };

    function clear() {
        [tags, only] = [{have: [], lack: []}, null];
        for (const name of ["filter_text", "filter_tokens", "filter_tags"]) ds.el(name).value = "";
        for (const name of ["filter_untagged", "filter_plain", "filter_changed", "filter_selected"]) ds.el(name).checked = false;
    }

    async function refilter() {
        offset = 0;
        drawChips();
        await draw();
        await ds.tell("filter");
    }

    /** What a chip does: take one condition away. */
    function without(away) {
        return () => {
            away();
            return refilter();
        };
    }

    function conditions() {
        const told = [];
        for (const tag of tags.have) told.push([`has ${tag}`, "tg-ds-have", () => ds.filterBy(tag, "")]);
        for (const tag of tags.lack) told.push([`lacks ${tag}`, "tg-ds-lack", () => ds.filterBy(tag, "")]);
        if (only) told.push([only.told, "", without(() => only = null)]);
        const fields = [["filter_text", "contains "], ["filter_tokens", "more tokens than "], ["filter_tags", "fewer tags than "]];
        for (const [name, words] of fields) {
            if (ds.value(name)) told.push([words + ds.value(name), "", without(() => ds.el(name).value = "")]);
        }
        const ticks = [["filter_untagged", "without any tag"], ["filter_plain", "sentences"], ["filter_changed", "unsaved"], ["filter_selected", "selected"]];
        for (const [name, words] of ticks) {
            if (ds.isTicked(name)) told.push([words, "", without(() => ds.el(name).checked = false)]);
        }
        return told;
    }

    function drawChips() {
        const list = ds.el("chips"), hadFocus = list.contains(document.activeElement), all = conditions();
        list.replaceChildren(...all.map(([words, look, away]) => ds.make("li", words, {class: `tg-chip ${look}`},
            ds.makeButton("\u00d7", away, {"aria-label": `Take "${words}" out of the filter`, class: "tg-ds-away"}))));
        ds.show("no_filter", all.length > 0);
        if (hadFocus) (list.querySelector("button") || box.current() || ds.el("tag_search")).focus();
    }

    ds.doing.no_filter = async function() {
        clear();
        await refilter();
        box.focus();
    };

    // -- the pictures -------------------------------------------------------------------------------------------------

    async function draw() {
        const mine = ++asked;
        const answer = await ds.post("pictures", {filter: ds.filter(), offset: offset, limit: PAGE});
        if (mine !== asked) return;
        if (offset >= answer.total && offset > 0) {
            offset = Math.max(0, PAGE * (Math.ceil(answer.total / PAGE) - 1));
            await draw();
            return;
        }
        found = answer;
        redraw();
        const last = Math.min(offset + PAGE, found.total);
        ds.write("shown", found.total === ds.now.pictures ? String(found.total) : `${found.total} of ${ds.now.pictures}`);
        ds.write("page", `${found.total ? offset + 1 : 0} to ${last} of ${found.total}`);
        ds.show("pages", found.total > PAGE);
        ds.show("nothing", found.total === 0);
        ds.enable("page_back", offset > 0);
        ds.enable("page_on", last < found.total);
    }

    function redraw() {
        box.redraw(found.items.map(cell));
        tellSelected();
    }

    const wanted = item => judging.marks.has(item.index) ? judging.marks.get(item.index) : item.tags.some(tag => ds.key(tag) === judging.key);

    /** The image of a picture, the same as before when it is there already, so that nothing flickers. */
    function imageOf(item) {
        const source = ds.thumbnail(item.index, SIZE, item.stamp);
        const known = Array.from(ds.el("grid").querySelectorAll("img")).find(image => image.dataset.source === source);
        return known || ds.make("img", "", {src: source, alt: "", loading: "lazy", decoding: "async", width: SIZE, height: SIZE, draggable: "false", "data-source": source});
    }

    function cell(item) {
        const isChosen = judging ? wanted(item) : selected.has(item.index);
        const image = imageOf(item);
        const told = [item.name, item.problem ? "unreadable caption" : item.plain ? "a sentence" : ds.count(item.tags.length, "tag")];
        if (item.tokens !== null) told.push(ds.count(item.tokens, "token"));
        if (item.changed) told.push("unsaved");
        const mark = judging ? (isChosen ? "has it" : "lacks it") : isChosen ? "selected" : "";
        const sign = judging ? (isChosen ? "\u2713" : "\u2717") : isChosen ? "\u2713" : "";
        return ds.make("li", "", {
            role: "option", "data-key": String(item.index), "aria-selected": isChosen, "data-current": item.index === current,
            "aria-label": [...told, mark].filter(one => one).join(", "), title: item.text, "data-judged": judging ? (isChosen ? "yes" : "no") : null,
        },
            ds.make("span", "", {class: "tg-ds-thumb"}, image, ds.make("span", sign, {class: "tg-ds-box", "aria-hidden": "true"}), item.changed ? ds.make("span", "unsaved", {class: "tg-ds-badge"}) : null),
            ds.make("span", item.name, {class: "tg-ds-name"}),
            ds.make("span", item.problem || item.text || "no caption", {class: "tg-ds-caption"}),
        );
    }

    const itemOf = node => found.items.find(item => String(item.index) === node.dataset.key);

    // -- the selection ------------------------------------------------------------------------------------------------

    function tellSelected() {
        ds.write("selected", selected.size ? `${selected.size} selected` : "None is selected.");
        ds.enable("select_none", selected.size > 0);
        ds.enable("select_all", found.total > 0);
    }

    async function reselect() {
        redraw();
        if (ds.isTicked("filter_selected")) await refilter();
        await ds.tell("selection");
    }

    function toggle(node) {
        const item = itemOf(node);
        if (judging) {
            judge(item);
            return;
        }
        if (!selected.delete(item.index)) selected.add(item.index);
        ds.carefully(reselect);
    }

    function range(nodes) {
        for (const node of nodes) {
            const item = itemOf(node);
            if (judging) markAs(item, true);
            else selected.add(item.index);
        }
        if (judging) tellJudged();
        ds.carefully(reselect);
    }

    function click(node, event) {
        if (judging || event.ctrlKey || event.metaKey || event.target.closest(".tg-ds-box")) toggle(node);
        else ds.carefully(() => ds.showPicture(itemOf(node).index));
    }

    ds.doing.select_all = function() {
        for (const index of found.indices) selected.add(index);
        return reselect();
    };

    ds.doing.select_none = function() {
        selected = new Set();
        return reselect();
    };

    async function turn(by) {
        offset = Math.max(0, offset + by);
        await draw();
        ds.el("grid").scrollTop = 0;
    }

    ds.doing.page_back = () => turn(-PAGE);
    ds.doing.page_on = () => turn(PAGE);

    /** Shows the page that a picture is on, when it passes the filter, and marks it. */
    ds.markCurrent = async function(index) {
        current = index;
        const at = found.indices.indexOf(index);
        if (at >= 0 && (at < offset || at >= offset + PAGE)) {
            offset = PAGE * Math.floor(at / PAGE);
            await draw();
        }
        for (const node of box.items()) {
            const isCurrent = node.dataset.key === String(index);
            if (isCurrent) node.scrollIntoView({block: "nearest"});
            node.toggleAttribute("data-current", isCurrent);
        }
    };

    ds.focusPicture = index => box.focus(String(index));

    // -- yes or no ----------------------------------------------------------------------------------------------------

    ds.beginYesNo = function(tag) {
        judging = {tag: tag, key: ds.key(tag), marks: new Map()};
        ds.show("yes_no", true);
        tellJudged();
        redraw();
        box.focus();
    };

    /** Marks a picture; one that is so already is not marked. */
    function markAs(item, now) {
        const had = item.tags.some(tag => ds.key(tag) === judging.key);
        if (had === now) judging.marks.delete(item.index);
        else judging.marks.set(item.index, now);
    }

    function judge(item) {
        markAs(item, !wanted(item));
        tellJudged();
        redraw();
    }

    function tellJudged() {
        const count = judging.marks.size;
        const told = count ? `${ds.count(count, "picture")} will change.` : "Click a picture, or press Space on it, to turn yes into no.";
        ds.write("yes_no_told", `Does it show "${judging.tag}"? ${told}`);
        ds.enable("yes_no_apply", count > 0);
    }

    function endYesNo() {
        judging = null;
        ds.show("yes_no", false);
        redraw();
        box.focus();
    }

    ds.doing.yes_no_end = endYesNo;

    ds.doing.yes_no_apply = async function() {
        const marks = Array.from(judging.marks), of = isIn => marks.filter(mark => mark[1] === isIn).map(mark => mark[0]);
        const answer = await ds.change("edit", {action: "mark", tag: judging.tag, having: of(true), lacking: of(false)});
        ds.say(`Corrected ${judging.tag}: ${ds.count(answer.files, "file")} changed. Nothing is written yet.`);
        endYesNo();
    };

    // -- start --------------------------------------------------------------------------------------------------------

    ds.starts.grid = function() {
        box = ds.listbox(ds.el("grid"), {
            enter: node => ds.carefully(() => ds.showPicture(itemOf(node).index, true)),
            space: toggle,
            range: range,
            click: click,
            all: () => ds.carefully(ds.doing.select_all),
        }, true);
        const typed = ds.later(TYPING_MS, refilter);
        for (const name of ["filter_text", "filter_tokens", "filter_tags"]) ds.el(name).addEventListener("input", typed);
        for (const name of ["filter_join", "filter_untagged", "filter_plain", "filter_changed", "filter_selected"]) {
            ds.el(name).addEventListener("change", () => ds.carefully(refilter));
        }
        const forget = () => { // indices mean other pictures now
            asked++;
            [selected, only, current, found] = [new Set(), null, -1, {total: 0, indices: [], items: []}];
            box.redraw([]);
            ds.el("filter_selected").checked = false;
            judging = null;
            ds.show("yes_no", false);
            drawChips();
        };
        ds.on("renumbered", forget);
        ds.on("opened", () => {
            clear();
            offset = 0;
            forget();
        });
        ds.on("changed", draw);
    };
})(train_gamma_dataset);
