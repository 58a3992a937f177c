// The Dataset tab's edits of many captions: each says how many files it will change before it is made.

var train_gamma_dataset = train_gamma_dataset || {};

(function(ds) {
    "use strict";

    const TYPING_MS = 350;
    const MOST_MATCHES = 40;
    const KINDS = [["exact", "tags"], ["substring", "part of a tag"], ["regex", "regular expression"]];

    const listed = text => text.split(",").map(tag => tag.trim()).filter(tag => tag);
    const asked = {}; // per edit, as an answer that was overtaken is not shown
    let ruleNumber = 0;
    let isHalf = false; // a regular expression is being typed: it is asked about when it is whole
    let ruleSets = [];
    ds.starts = ds.starts || {};
    ds.doing = ds.doing || {};

    /** What each edit sends, null while something is missing; `in` is the folded part that it is in. */
    const EDITS = {
        add: {in: "edit_add", word: "Added", request: () => listed(ds.value("add_tags")).length ? {action: "add", tags: listed(ds.value("add_tags")), ...position()} : null},
        replace: {in: "edit_replace", word: "Replaced", request: replaceRequest},
        sort: {in: "edit_sort", word: "Sorted", request: () => ({action: "sort", order: ds.value("sort_order"), keep: ds.whole("sort_keep") || 0})},
        keep: {in: "edit_shorten", word: "Cut off", request: () => ds.whole("keep_count") === null ? null : {action: "keep_first", count: ds.whole("keep_count")}},
        truncate: {in: "edit_shorten", word: "Cut", request: () => ds.whole("truncate_tokens") === null || !ds.now.counts_tokens ? null : {action: "truncate", count: ds.whole("truncate_tokens")}},
        unique: {in: "edit_shorten", word: "Left one of each", request: () => ({action: "unique"})},
        clean: {in: "edit_clean", word: "Cleaned", request: () => cleaning().length ? {action: "clean", actions: cleaning()} : null},
    };

    function position() {
        const chosen = ds.value("add_position");
        if (chosen === "number") return {position: ds.whole("add_number") || 0, beside: ""};
        return {position: chosen, beside: ["before", "after"].includes(chosen) ? ds.value("add_beside") : ""};
    }

    const cleaning = () => Array.from(ds.root().querySelectorAll("[data-ds-clean]:checked"), box => box.dataset.dsClean);

    // -- rules --------------------------------------------------------------------------------------------------------

    function rules() {
        const found = Array.from(ds.el("rules").children, row => {
            const [search, replacement] = row.querySelectorAll("input");
            return {search: search.value.trim(), replacement: replacement.value.trim(), kind: row.querySelector("select").value};
        });
        return found.filter(rule => rule.search);
    }

    function replaceRequest() {
        const all = rules();
        if (!all.length) return null;
        if (!ds.isTicked("replace_whole")) return {action: "replace", rules: all};
        return {action: "replace_text", rules: all, plain: ds.isTicked("replace_plain")};
    }

    function addRule(rule) {
        const number = ++ruleNumber, row = ds.make("div", "", {class: "tg-ds-rule", role: "group", "aria-label": `Rule ${number}`});
        const search = ds.make("input", "", {type: "text", autocomplete: "off", spellcheck: "false", "data-complete": "many"});
        const replacement = ds.make("input", "", {type: "text", autocomplete: "off", spellcheck: "false", "data-complete": "one"});
        const kind = ds.make("select", "", {"aria-label": "Read as"}, ...KINDS.map(([value, text]) => ds.make("option", text, {value: value})));
        if (rule) [search.value, replacement.value, kind.value] = [rule.search, rule.replacement, rule.kind];
        const away = ds.makeButton("\u00d7", () => {
            const next = row.nextElementSibling || row.previousElementSibling;
            row.remove();
            if (!ds.el("rules").children.length) addRule();
            isHalf = false;
            (next && next.isConnected ? next : ds.el("rules").firstElementChild).querySelector("input").focus();
            preview("replace");
        }, {"aria-label": "Take this rule away", class: "tg-ds-away"});
        row.append(ds.make("label", "Search", {class: "tg-ds-field"}, search), ds.make("label", "Replace by", {class: "tg-ds-field"}, replacement), ds.make("div", "", {class: "tg-ds-row"}, kind, away));
        ds.el("rules").append(row);
        for (const field of [search, replacement]) ds.completes(field);
        return search;
    }

    function setRules(all) {
        ds.el("rules").replaceChildren();
        for (const rule of all.length ? all : [null]) addRule(rule);
        isHalf = false;
        preview("replace");
    }

    async function lookUpRules(chosen) {
        const answer = await ds.call("datasets/rules");
        ruleSets = answer.rules;
        const list = ds.el("rule_set");
        const options = [["", "choose"], ...ruleSets.map(set => [set.name, set.built_in ? `${set.name} (built in)` : set.name])];
        list.replaceChildren(...options.map(([value, text]) => ds.make("option", text, {value: value})));
        list.value = chosen || "";
        ds.write("rules_told", answer.problems.join(" "));
    }

    ds.doing.rule_more = () => addRule().focus();

    ds.doing.rules_use = function() {
        const set = ruleSets.find(one => one.name === ds.value("rule_set"));
        if (!set) {
            ds.write("rules_told", "Choose a set of rules first.");
            return;
        }
        setRules(set.rules);
        ds.write("rules_told", set.note || `${ds.count(set.rules.length, "rule")} of ${set.name} are in the fields above.`);
    };

    ds.doing.rules_keep = async function() {
        const name = ds.value("rule_name");
        if (!name || !rules().length) {
            ds.write("rules_told", "Give the set a name, and fill in a rule above.");
            return;
        }
        await ds.call(`datasets/rules/${encodeURIComponent(name)}`, "PUT", {rules: rules()});
        await lookUpRules(name);
        ds.write("rules_told", `Kept as ${name}.`);
    };

    ds.doing.rules_delete = async function() {
        const name = ds.value("rule_set") || ds.value("rule_name");
        if (!name) {
            ds.write("rules_told", "Choose a set of rules first.");
            return;
        }
        if (await ds.ask(`Delete the rules ${name}?`, ["The datasets stay as they are."], [["yes", "Delete", true], ["", "Cancel", false]]) !== "yes") return;
        await ds.call(`datasets/rules/${encodeURIComponent(name)}`, "DELETE");
        await lookUpRules();
        ds.write("rules_told", `${name} is deleted.`);
    };

    // -- what would change --------------------------------------------------------------------------------------------

    const isOpen = edit => ds.part() === "edit" && ds.el(edit.in).open;

    function allow(name, isOn) {
        for (const button of ["apply", "show"]) ds.enable(`${name}_${button}`, isOn);
    }

    const previews = {};

    /** Asks how many files an edit would change, when nobody has typed for a moment. */
    function preview(name) {
        previews[name] = previews[name] || ds.later(TYPING_MS, () => previewNow(name));
        previews[name]();
    }

    async function previewNow(name) {
        const edit = EDITS[name], mine = asked[name] = (asked[name] || 0) + 1;
        if (!ds.now.id || !isOpen(edit) || (name === "replace" && isHalf)) return;
        const request = edit.request();
        if (!request) {
            const lacking = name === "truncate" && !ds.now.counts_tokens ? "Tokens cannot be counted, as no checkpoint or tokenizer is loaded." : "";
            show(name, lacking, null);
            return;
        }
        try {
            const answer = await ds.post("edit", {version: ds.now.version, preview: true, ...request, ...ds.where(ds.value("edit_scope"))});
            if (mine !== asked[name]) return;
            const left = answer.left_alone ? ` Left alone: ${ds.count(answer.left_alone, "caption")}, sentences or unreadable.` : "";
            show(name, `${ds.count(answer.files, "file")} will change.${left}`, answer);
        } catch (error) {
            if (error.reason === "stale" || mine !== asked[name]) return; // the next state brings another preview
            if (error.status !== 422) throw error;
            show(name, error.message, null);
        }
    }

    function show(name, told, answer) {
        ds.write(`${name}_told`, told);
        allow(name, Boolean(answer && answer.files));
        if (name === "replace") drawMatches(answer ? answer.matches || [] : []);
    }

    function drawMatches(matches) {
        const lines = matches.slice(0, MOST_MATCHES).map(match => ds.make("li", "", {},
            ds.make("span", match.tag, {class: "tg-ds-name"}),
            ds.make("span", match.becomes.length ? `\u2192 ${match.becomes.join(", ")}` : "\u2192 taken out", {class: "tg-ds-name"}),
            ds.make("span", String(match.count), {class: "tg-ds-number"})));
        if (matches.length > MOST_MATCHES) lines.push(ds.make("li", `and ${matches.length - MOST_MATCHES} more tags`, {class: "tg-quiet"}));
        ds.el("matches").replaceChildren(...lines);
        ds.show("matches", lines.length > 0);
    }

    function previewAll() {
        for (const [name, edit] of Object.entries(EDITS)) if (isOpen(edit)) preview(name);
    }

    function tellScope() {
        const counts = {all: ds.now.pictures, filtered: ds.shownIndices().length, selected: ds.selected().length};
        for (const name of ["edit_scope", "tag_scope"]) {
            for (const option of ds.el(name).options) {
                option.dataset.text = option.dataset.text || option.textContent;
                option.textContent = `${option.dataset.text} (${counts[option.value]})`;
            }
        }
    }

    // -- start --------------------------------------------------------------------------------------------------------

    function doEdit(name) {
        const edit = EDITS[name];
        ds.doing[`${name}_apply`] = async function() {
            const request = edit.request();
            if (!request) return;
            const answer = await ds.change("edit", {...request, ...ds.where(ds.value("edit_scope"))});
            ds.say(`${edit.word}: ${ds.count(answer.files, "file")} changed. Nothing is written yet.`);
        };
        ds.doing[`${name}_show`] = async function() {
            const answer = await ds.post("edit", {version: ds.now.version, preview: true, ...edit.request(), ...ds.where(ds.value("edit_scope"))});
            if (await ds.showDiff("What will change", answer.diff, [["do", ds.button(`${name}_apply`).textContent, true], ["", "Close", false]]) === "do") await ds.doing[`${name}_apply`]();
        };
    }

    function onField(event) {
        const part = event.target.closest("details"), rule = event.target.closest(".tg-ds-rule"), kind = rule && rule.querySelector("select").value;
        ds.el("replace_plain").closest("label").hidden = !ds.isTicked("replace_whole");
        if (rule) isHalf = event.type === "input" && kind === "regex" && event.target.type === "text";
        if (rule && isHalf) {
            allow("replace", false);
            ds.write("replace_told", "Press Enter to see what it matches.");
            return;
        }
        for (const [name, edit] of Object.entries(EDITS)) if (part && ds.el(edit.in).contains(part)) preview(name);
        const chosen = ds.value("add_position");
        ds.el("add_number").closest("label").hidden = chosen !== "number";
        ds.el("add_beside").closest("label").hidden = !["before", "after"].includes(chosen);
    }

    ds.starts.edits = function() {
        Object.keys(EDITS).forEach(doEdit);
        addRule();
        drawMatches([]);
        const panel = ds.root().querySelector("[data-ds-panel=edit]");
        panel.addEventListener("input", onField);
        panel.addEventListener("change", onField);
        onField({target: ds.el("add_tags")});
        panel.addEventListener("toggle", previewAll, true);
        ds.el("edit_scope").addEventListener("change", previewAll);
        for (const event of ["changed", "filter", "selection"]) {
            ds.on(event, () => {
                tellScope();
                previewAll();
            });
        }
        ds.on("part", name => {
            if (name !== "edit") return undefined;
            previewAll();
            return lookUpRules(ds.value("rule_set"));
        });
    };
})(train_gamma_dataset);
