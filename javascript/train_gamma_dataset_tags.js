// The Dataset tab's list of tags: search, order, ticks, filters by one click, and what is done with the ticked tags.

var train_gamma_dataset = train_gamma_dataset || {};

(function(ds) {
    "use strict";

    const PAGE = 200;
    const MOST = 5000; // the server gives no more
    const TYPING_MS = 250;
    const NEXT = {"": "have", have: "lack", lack: ""};
    const TOLD = {have: "shown are pictures that have it", lack: "shown are pictures that lack it"};

    let box = null;
    let rows = [];
    let counted = 0; // pictures
    let limit = PAGE;
    let searched = ""; // a regular expression is not asked for while it is being typed
    let asked = 0; // an answer that was overtaken is not shown
    let previewed = 0;
    let preview = null; // asks how many files would change, when nobody has ticked for a moment
    const ticked = new Map(); // tag by key
    ds.starts = ds.starts || {};
    ds.doing = ds.doing || {};

    ds.tickedTags = () => Array.from(ticked.values());

    // -- the list -----------------------------------------------------------------------------------------------------

    async function draw() {
        const mine = ++asked;
        const question = {
            search: searched,
            mode: ds.value("tag_mode"),
            sort: ds.value("tag_sort"),
            descending: (ds.value("tag_sort") !== "name") !== ds.isTicked("tag_ascending"),
            filter: ds.isTicked("tag_of_shown") ? ds.filter() : {},
            offset: 0,
            limit: limit,
        };
        let answer = null;
        try {
            answer = await ds.post("tags", question);
        } catch (error) {
            if (error.status !== 422 || mine !== asked) throw error;
            ds.write("tag_problem", error.message); // half a regular expression: the list stays
            ds.show("tag_problem", true);
            return;
        }
        if (mine !== asked) return;
        ds.show("tag_problem", false);
        [rows, counted] = [answer.rows, answer.pictures];
        ds.write("tag_total", String(answer.total));
        ds.show("more_tags", answer.total > rows.length && rows.length < MOST);
        ds.show("most_tags", answer.total > rows.length && rows.length >= MOST);
        box.redraw(rows.map(line));
        tellTicked();
    }

    function lookFor() {
        searched = ds.value("tag_search");
        return draw();
    }

    function line(row) {
        const state = ds.filterStateOf(row.tag), isTicked = ticked.has(row.key);
        const told = [row.tag, `${row.count} of ${ds.count(counted, "picture")}`, isTicked ? "ticked" : "", TOLD[state] || ""];
        const item = ds.make("li", "", {
            role: "option", "data-key": row.key, "data-tag": row.tag, "aria-selected": isTicked,
            "aria-label": told.filter(one => one).join(", "), "data-state": state || null, title: `${row.tag} (${row.class})`,
        });
        item.append(
            ds.make("span", isTicked ? "\u2713" : "", {class: "tg-ds-box", "aria-hidden": "true"}),
            ds.make("span", row.tag, {class: "tg-ds-name"}),
            ds.make("span", String(row.count), {class: "tg-ds-number", title: "pictures"}),
            ds.make("span", ds.percent(row.share), {class: "tg-ds-number", title: "of the pictures"}),
            ds.make("span", row.tokens === null ? "" : String(row.tokens), {class: "tg-ds-number tg-ds-small", title: "tokens"}),
        );
        return item;
    }

    const rowOf = item => rows.find(row => row.key === item.dataset.key);

    function tick(item, isTicked) {
        const row = rowOf(item);
        if (isTicked) ticked.set(row.key, row.tag);
        else ticked.delete(row.key);
    }

    function redraw() {
        box.redraw(rows.map(line));
        tellTicked();
    }

    function onTick(item) {
        tick(item, !ticked.has(item.dataset.key));
        redraw();
    }

    function onRange(items) {
        for (const item of items) tick(item, true);
        redraw();
    }

    function cycle(item) {
        const row = rowOf(item);
        return ds.carefully(() => ds.filterBy(row.tag, NEXT[ds.filterStateOf(row.tag)]));
    }

    // -- the ticked tags ----------------------------------------------------------------------------------------------

    /** The fields of a request that say which captions are meant. */
    ds.where = scope => ({scope: scope, filter: scope === "filtered" ? ds.filter() : {}, selected: scope === "selected" ? ds.selected() : []});

    function tellTicked() {
        const tags = ds.tickedTags(), shown = tags.slice(0, 4).join(", ") + (tags.length > 4 ? " ..." : "");
        ds.write("ticked", tags.length ? `${ds.count(tags.length, "tag")} ticked: ${shown}` : "No tag is ticked.");
        const count = tags.length ? ` ${tags.length}` : "";
        ds.button("remove_tags").textContent = tags.length ? `Remove${count} ${tags.length === 1 ? "tag" : "tags"}` : "Remove";
        for (const name of ["remove_tags", "front_tags"]) ds.enable(name, tags.length > 0);
        for (const name of ["rename_tag", "yes_no"]) ds.enable(name, tags.length === 1);
        ds.enable("untick", tags.length > 0);
        preview();
    }

    async function previewNow() {
        const mine = ++previewed, tags = ds.tickedTags();
        if (!tags.length || !ds.now.id) {
            ds.write("tag_told", "");
            return;
        }
        const asked = {version: ds.now.version, action: "remove", tags: tags, preview: true, ...ds.where(ds.value("tag_scope"))};
        const answer = await ds.post("edit", asked).catch(error => {
            if (error.reason === "stale") return null; // the next state brings another preview
            throw error;
        });
        if (answer && mine === previewed) ds.write("tag_told", `Removing: ${ds.count(answer.files, "file")} will change.`);
    }

    async function edit(action, fields, told) {
        const answer = await ds.change("edit", {action: action, ...fields, ...ds.where(ds.value("tag_scope"))});
        ds.say(`${told}: ${ds.count(answer.files, "file")} changed. Nothing is written yet.`);
        return answer;
    }

    ds.doing.remove_tags = async function() {
        const tags = ds.tickedTags(), name = tags.length === 1 ? tags[0] : ds.count(tags.length, "tag");
        const hadFocus = document.activeElement === ds.button("remove_tags");
        await edit("remove", {tags: tags}, `Removed ${name}`);
        ticked.clear();
        redraw();
        if (hadFocus) box.focus();
    };

    ds.doing.front_tags = () => edit("move_to_front", {tags: ds.tickedTags()}, "Moved to the front");

    ds.doing.rename_tag = async function() {
        const [tag] = ds.tickedTags();
        const field = ds.make("input", "", {type: "text", autocomplete: "off", spellcheck: "false"});
        field.value = tag;
        field.addEventListener("keydown", event => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            field.closest("dialog").close("yes");
        });
        const asked = ds.ask(`Rename ${tag}`, [ds.make("label", "New name", {class: "tg-ds-field"}, field)], [["yes", "Rename", true], ["", "Cancel", false]]);
        field.focus();
        field.select();
        if (await asked !== "yes" || field.value.trim() === tag) return;
        await edit("rename", {tag: tag, new: field.value.trim()}, `Renamed ${tag} to ${field.value.trim()}`);
        ticked.clear();
        redraw();
    };

    ds.doing.yes_no = () => ds.beginYesNo(ds.tickedTags()[0]);

    ds.doing.untick = function() {
        ticked.clear();
        redraw();
    };

    ds.doing.more_tags = async function() {
        const before = rows.length;
        limit = Math.min(MOST, limit + PAGE);
        await draw();
        if (rows.length > before) box.items()[before].focus();
    };

    ds.starts.tags = function() {
        preview = ds.later(TYPING_MS, previewNow);
        box = ds.listbox(ds.el("tags"), {
            enter: cycle,
            space: onTick,
            range: onRange,
            click: (item, event) => event.target.closest(".tg-ds-box") || event.ctrlKey || event.metaKey ? onTick(item) : cycle(item),
            all: () => onRange(box.items()),
            key: (item, event) => {
                if (event.key !== "Delete") return false;
                ds.button("remove_tags").click();
                return true;
            },
        });
        const search = ds.later(TYPING_MS, () => {
            const isHalf = ds.value("tag_mode") === "regex" && ds.value("tag_search") !== "";
            return isHalf ? undefined : lookFor();
        });
        ds.el("tag_search").addEventListener("input", search);
        for (const name of ["tag_search", "tag_mode"]) ds.el(name).addEventListener("change", () => ds.carefully(lookFor));
        for (const name of ["tag_sort", "tag_ascending", "tag_of_shown"]) {
            ds.el(name).addEventListener("change", () => ds.carefully(draw));
        }
        ds.el("tag_scope").addEventListener("change", preview);
        ds.on("opened", () => {
            ticked.clear();
            limit = PAGE;
        });
        ds.on("changed", draw);
        ds.on("filter", () => ds.isTicked("tag_of_shown") ? draw() : redraw());
        ds.on("selection", preview);
    };
})(train_gamma_dataset);
