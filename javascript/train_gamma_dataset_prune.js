// The Dataset tab's assistant: which tags may be taken out, and which words the vectors may start from then.

var train_gamma_dataset = train_gamma_dataset || {};

(function(ds) {
    "use strict";

    const BANDS = [
        ["ticked", "Belong to the subject", "In nearly all pictures."],
        ["sometimes", "Sometimes there", "In many pictures: leave what may be taken off."],
        ["look", "Worth a look", "In nearly all pictures, rare elsewhere, and of no known kind."],
    ];
    const CLASSES = {trait: "trait", outfit: "outfit", context: "scene", other: "other"};
    const WITHOUT = 8;
    const THUMBNAIL = 64;
    const WAIT_MS = 300;
    const FIELDS = {name: "#train_gamma_embedding_name", vectors: "#train_gamma_embedding_num_vectors"};

    let advice = null;
    let ticks = new Map(); // whether a tag is ticked, by key
    let names = new Map(); // tags by key
    let removed = []; // what was taken out here, which the text to start from goes on telling of
    let proposal = null;
    let asked = 0;
    let preview = null; // asks how many files would change, when nobody has ticked for a moment
    let proposeSoon = null;
    ds.starts = ds.starts || {};
    ds.doing = ds.doing || {};

    const fieldOf = name => ds.app().querySelector(`${FIELDS[name]} textarea, ${FIELDS[name]} input[type=number], ${FIELDS[name]} input`);
    const ticked = () => Array.from(ticks).filter(([, isTicked]) => isTicked).map(([key]) => names.get(key));

    ds.pruneForm = () => ({name: ds.value("prune_name"), num_vectors: Math.max(1, ds.whole("prune_vectors") || 1)});

    function prefill() {
        const [name, vectors] = [fieldOf("name"), fieldOf("vectors")];
        if (name && name.value.trim() && !ds.value("prune_name")) ds.el("prune_name").value = name.value.trim();
        if (vectors && Number(vectors.value) > 0 && !ds.el("prune_vectors").dataset.typed) ds.el("prune_vectors").value = vectors.value;
    }

    // -- suggestions --------------------------------------------------------------------------------------------------

    ds.doing.suggest = async function() {
        removed = [];
        await suggest(null);
        const first = ds.el("suggestions").querySelector("input");
        if (first) first.focus({preventScroll: true});
    };

    /** Asks anew; `kept` are the ticks there were. */
    async function suggest(kept) {
        const mine = ++asked;
        const answer = await ds.post("prune", {...ds.pruneForm(), tags: null});
        if (mine !== asked) return;
        advice = answer;
        [ticks, names] = [new Map(), new Map()];
        const wanted = new Set(answer.ticked.map(ds.key));
        for (const one of answer.suggestions) {
            for (const tag of [one.tag, ...one.relatives.map(relative => relative.tag)]) {
                const key = ds.key(tag);
                names.set(key, tag);
                ticks.set(key, kept && kept.has(key) ? kept.get(key) : wanted.has(key));
            }
        }
        removed = removed.filter(tag => !names.has(ds.key(tag))); // an undo brings tags back
        ds.show("advice", true);
        drawContradictions();
        drawBands();
        if (removed.length) await propose();
        else showText(answer.init_text);
        preview();
    }

    function drawContradictions() {
        const list = ds.el("contradictions");
        list.replaceChildren(...advice.contradictions.map(told => ds.make("li", told, {class: "tg-warning"})));
        list.hidden = !list.children.length;
    }

    function drawBands() {
        const box = ds.el("suggestions"), focused = box.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
        const groups = BANDS.map(([band, title, told]) => {
            const own = advice.suggestions.filter(one => one.band === band);
            if (!own.length) return null;
            return ds.make("section", "", {"aria-label": title, class: "tg-ds-band"},
                ds.make("h4", `${title} (${own.length})`), ds.make("p", told, {class: "tg-quiet"}), ds.make("ul", "", {}, ...own.map(line)));
        });
        box.replaceChildren(...groups.filter(group => group));
        if (!advice.suggestions.length) box.append(ds.make("p", "No tag of the subject is left in so many pictures that it would be suggested.", {class: "tg-quiet"}));
        if (advice.background) box.append(ds.make("p", `How often a tag is there elsewhere is told by the list of ${advice.background}.`, {class: "tg-quiet"}));
        if (focused === null) return;
        const same = Array.from(box.querySelectorAll("[data-focus]")).find(one => one.dataset.focus === focused);
        (same || box.querySelector("input") || ds.button("suggest")).focus({preventScroll: true});
    }

    function tickBox(tag, name, told) {
        const key = ds.key(tag), box = ds.make("input", "", {type: "checkbox", "data-tag": tag, "data-focus": name});
        box.checked = Boolean(ticks.get(key));
        box.addEventListener("change", () => {
            ticks.set(key, box.checked);
            for (const other of ds.el("suggestions").querySelectorAll("input[data-tag]")) {
                if (ds.key(other.dataset.tag) === key) other.checked = box.checked;
            }
            preview();
            proposeSoon();
        });
        return ds.make("label", "", {class: "tg-ds-tick"}, box, ds.make("span", tag, {class: "tg-ds-name"}), told ? ds.make("span", told, {class: "tg-ds-facts"}) : null);
    }

    function line(one) {
        const facts = [`${ds.percent(one.share)} of the pictures`, CLASSES[one.class]];
        if (one.lift !== null && one.lift !== undefined) facts.push(`${one.lift >= 10 ? Math.round(one.lift) : one.lift.toFixed(1)} times as often as elsewhere`);
        const item = ds.make("li", "", {"data-band": one.band}, tickBox(one.tag, `tag ${one.tag}`, facts.join(", ")), ds.make("p", one.reason, {class: "tg-quiet"}));
        if (one.relatives.length) {
            const relatives = one.relatives.map(relative => tickBox(relative.tag, `relative ${one.tag} ${relative.tag}`, ds.percent(relative.share)));
            item.append(ds.make("div", "", {class: "tg-ds-relatives", role: "group", "aria-label": `Tags that tell the same as ${one.tag}`}, ds.make("span", "tells the same:", {class: "tg-quiet"}), ...relatives));
        }
        if (one.without.length) item.append(without(one));
        return item;
    }

    /** The pictures that have not got the tag: the tagger may have missed it there. */
    function without(one) {
        const told = `Show the ${ds.count(one.without.length, "picture")} without ${one.tag}`;
        const images = one.without.slice(0, WITHOUT).map(index => ds.make("img", "", {src: ds.thumbnail(index, THUMBNAIL), alt: "", width: 40, height: 40, loading: "lazy"}));
        const press = () => ds.showOnly(one.without, `without ${one.tag}, as suggested`);
        const button = ds.makeButton("", press, {"aria-label": told, title: told, class: "tg-ds-without", "data-focus": `without ${one.tag}`});
        button.append(...images, ds.make("span", one.without.length > WITHOUT ? `${one.without.length} without it` : "without it"));
        return button;
    }

    async function previewNow() {
        const tags = ticked();
        ds.button("prune").textContent = tags.length ? `Remove the ${ds.count(tags.length, "ticked tag")}` : "Remove the ticked tags";
        if (!tags.length || !ds.now.id) {
            ds.enable("prune", false);
            ds.write("prune_told", "");
            return;
        }
        const answer = await ds.post("edit", {version: ds.now.version, action: "remove", tags: tags, preview: true}).catch(error => {
            if (error.reason === "stale") return null; // the next state brings another preview
            throw error;
        });
        if (!answer) return;
        ds.enable("prune", answer.files > 0);
        ds.write("prune_told", `${ds.count(answer.files, "file")} will change.`);
    }

    ds.doing.prune = async function() {
        const tags = ticked(), hadFocus = document.activeElement === ds.button("prune");
        removed = [...tags, ...removed.filter(tag => !tags.includes(tag))];
        const answer = await ds.change("edit", {action: "remove", tags: tags});
        ds.say(`Removed ${ds.count(tags.length, "tag")}: ${ds.count(answer.files, "file")} changed. Nothing is written yet.`);
        if (hadFocus && document.activeElement !== ds.button("prune")) (ds.el("suggestions").querySelector("input") || ds.button("undo")).focus({preventScroll: true});
    };

    // -- the text to start from ---------------------------------------------------------------------------------------

    /** Asks for a text from what is ticked and what was taken out. */
    async function propose() {
        const tags = [...ticked(), ...removed];
        const answer = await ds.post("prune", {...ds.pruneForm(), tags: tags});
        showText(answer.init_text);
    }

    function showText(found) {
        proposal = found;
        ds.show("start_text", true);
        for (const name of ["init_commas", "init_plain"]) ds.enable(name, Boolean(found));
        ds.el("init_words").replaceChildren();
        if (!found) {
            const words = [...ticked(), ...removed];
            ds.el("init_text").value = [...new Set([advice.subject, ...words])].filter(word => word).join(" ");
            ds.write("init_told", "How many tokens this is cannot be told, as no checkpoint is loaded. What does not fit into the vectors is cut off at its end.");
            return;
        }
        ds.el("init_text").value = found.text;
        const vectors = ds.pruneForm().num_vectors;
        const least = found.least_vectors > vectors ? ` All of them need ${ds.count(found.least_vectors, "vector")}.` : " All of them fit.";
        ds.write("init_told", `${ds.count(found.tokens, "token")} for ${ds.count(vectors, "vector")}.${least} With commas: ${ds.count(found.with_commas_tokens, "token")}.`);
        const kept = found.kept.map(word => ds.make("li", word, {class: "tg-chip"}));
        const dropped = found.dropped.map(word => ds.make("li", "", {class: "tg-chip tg-dropped"}, ds.make("del", word)));
        ds.el("init_words").replaceChildren(...kept, ...dropped);
    }

    ds.doing.init_commas = () => {
        ds.el("init_text").value = proposal.with_commas;
    };
    ds.doing.init_plain = () => {
        ds.el("init_text").value = proposal.text;
    };

    function type(input, text) {
        input.value = text;
        if (typeof updateInput === "function") updateInput(input);
        else input.dispatchEvent(new Event("input", {bubbles: true}));
    }

    ds.doing.send_to_create = function() {
        const area = ds.app().querySelector("#train_gamma_embedding_init_text textarea, #train_gamma_embedding_init_text input");
        const values = {name: ds.value("prune_name"), vectors: String(ds.pruneForm().num_vectors)};
        for (const [name, value] of Object.entries(values)) {
            const field = fieldOf(name);
            if (field && value && field.value !== value) type(field, value);
        }
        type(area, ds.value("init_text"));
        ds.openTab("Create");
        setTimeout(() => area.focus(), WAIT_MS);
    };

    // -- start --------------------------------------------------------------------------------------------------------

    ds.starts.prune = function() {
        [preview, proposeSoon] = [ds.later(WAIT_MS, previewNow), ds.later(WAIT_MS, propose)];
        ds.on("part", name => {
            if (name === "prune") prefill();
        });
        ds.on("opened", () => {
            [advice, removed] = [null, []];
            for (const name of ["advice", "start_text"]) ds.show(name, false);
        });
        ds.on("changed", () => advice ? suggest(ticks) : undefined);
        ds.el("prune_vectors").addEventListener("input", () => {
            ds.el("prune_vectors").dataset.typed = "yes";
            if (advice) proposeSoon();
        });
    };
})(train_gamma_dataset);
