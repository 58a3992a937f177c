// Tags that fit what is being typed, below the field: with their counts and the other names they were found by.

var train_gamma_dataset = train_gamma_dataset || {};

(function(ds) {
    "use strict";

    const TYPING_MS = 120;
    const MOST = 12;

    let number = 0;
    ds.starts = ds.starts || {};

    /**
     * Completes tags in a field.
     *
     * `take` gets what was typed or chosen at Enter, and the field is emptied; without it, what is chosen stays in the field.
     * A field with `data-complete="one"` holds one tag, others several with commas between them.
     */
    ds.completes = function(field, take) {
        const isOne = field.dataset.complete === "one" || Boolean(take);
        const list = ds.make("ul", "", {role: "listbox", id: `train_gamma_ds_complete_${++number}`, class: "tg-ds-complete", hidden: true, "aria-label": "Tags that fit"});
        const told = {role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id, "aria-haspopup": "listbox"};
        for (const [name, value] of Object.entries(told)) field.setAttribute(name, value);
        field.closest("label").after(ds.make("div", "", {class: "tg-ds-completing"}, list)); // in the label it would be read as a part of it
        let matches = [], at = -1, asked = 0;

        const from = () => isOne ? 0 : field.value.slice(0, field.selectionStart).lastIndexOf(",") + 1;
        const typed = () => field.value.slice(from(), field.selectionStart).trim();

        function close() {
            asked++;
            [matches, at] = [[], -1];
            list.hidden = true;
            list.replaceChildren();
            field.setAttribute("aria-expanded", "false");
            field.removeAttribute("aria-activedescendant");
        }

        function aim(to) {
            at = to;
            for (const [index, item] of Array.from(list.children).entries()) item.setAttribute("aria-selected", index === at);
            if (at < 0) {
                field.removeAttribute("aria-activedescendant");
                return;
            }
            field.setAttribute("aria-activedescendant", list.children[at].id);
            list.children[at].scrollIntoView({block: "nearest"});
        }

        function choose(match) {
            if (take) {
                field.value = "";
                close();
                take(match.insert);
                return;
            }
            const start = from(), before = field.value.slice(0, start), after = field.value.slice(field.selectionStart);
            const text = before + (before && !before.endsWith(" ") ? " " : "") + match.insert;
            field.value = text + (isOne || after.trim().startsWith(",") ? "" : ", ") + after.trimStart();
            field.setSelectionRange(field.value.length - after.trimStart().length, field.value.length - after.trimStart().length);
            close();
            field.dispatchEvent(new Event("input", {bubbles: true}));
            close();
        }

        function line(match, index) {
            const told = match.in_set ? `${match.in_set} here` : match.count ? match.count.toLocaleString("en") : "";
            const item = ds.make("li", "", {role: "option", id: `${list.id}_${index}`, "aria-selected": "false"},
                ds.make("span", match.tag, {class: "tg-ds-name"}),
                match.alias ? ds.make("span", `also ${match.alias}`, {class: "tg-ds-alias"}) : null,
                ds.make("span", told, {class: "tg-ds-number"}));
            item.addEventListener("mousedown", event => {
                event.preventDefault(); // the field keeps the focus
                choose(match);
            });
            return item;
        }

        const look = ds.later(TYPING_MS, async () => {
            const text = typed(), mine = ++asked;
            if (!text || !ds.now.id || document.activeElement !== field) {
                close();
                return;
            }
            const answer = await ds.get(`complete?${new URLSearchParams({text: text, limit: MOST})}`);
            if (mine !== asked) return;
            matches = answer.matches;
            list.replaceChildren(...matches.map(line));
            list.hidden = !matches.length;
            field.setAttribute("aria-expanded", matches.length > 0);
            aim(-1);
            list.scrollIntoView({block: "nearest"});
        });

        function onKey(event) {
            if (event.key === "Escape" && !list.hidden) close();
            else if (event.key === "ArrowDown" && matches.length) aim((at + 1) % matches.length);
            else if (event.key === "ArrowUp" && matches.length) aim(at <= 0 ? matches.length - 1 : at - 1);
            else if (event.key === "Enter" && at >= 0) choose(matches[at]);
            else if (event.key === "Enter" && take && field.value.trim()) {
                const text = field.value.trim();
                field.value = "";
                close();
                take(text);
            } else return;
            event.preventDefault();
        }

        field.addEventListener("input", look);
        field.addEventListener("keydown", onKey);
        field.addEventListener("blur", close);
    };

    ds.starts.complete = function() {
        for (const field of ds.root().querySelectorAll("[data-complete]")) {
            if (field.dataset.ds !== "one_add") ds.completes(field);
        }
    };
})(train_gamma_dataset);
