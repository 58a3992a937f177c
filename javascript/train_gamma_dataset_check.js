// The Dataset tab's examination: its progress, what it found, and fixes that say what happens to the files before.

var train_gamma_dataset = train_gamma_dataset || {};

(function(ds) {
    "use strict";

    const POLL_MS = 400;
    const THUMBNAILS = 12;
    const OVER = ["finished", "stopped", "failed"];
    const LEVELS = [["error", "Errors"], ["warning", "Warnings"], ["note", "Notes"]];
    /** For each fix: the button, and what happens to the files. */
    const FIXES = {
        exclude: ["Move out of the dataset", "moved with the captions into the folder with \u201c_rejected\u201d in its name beside the dataset. Nothing is deleted."],
        convert: ["Convert to plain colours", "written anew as RGB, with the colours that are shown now."],
        rotate: ["Turn upright", "written anew as they are shown, without the mark that turns them."],
        flatten: ["Put on white", "written anew on a white background, without transparency."],
        reencode: ["Write as UTF-8", "the captions are written anew as UTF-8."],
        downscale: ["Make smaller", "written anew in a smaller size, which is enough for training."],
        crop: ["Cut to a usable shape", "written anew, cut around their middle to a shape that training can use."],
        clean: ["Clean the captions", "the captions are cleaned of what taggers leave behind."],
        escape: ["Escape the brackets", "the brackets in the captions are escaped, so that they are no emphasis."],
    };
    /** Of the Train tab: what pictures and captions are judged by. */
    const TICKS = ["filename_captions", "emphasis", "shuffle_tags", "upscale", "flip"];
    const NUMBERS = ["keep_tags", "tag_dropout", "width", "height", "bucket_step", "bucket_min", "bucket_max"];
    const TEXTS = ["filename_regex", "filename_join", "template_file", "background"];
    const ANEW = ["convert", "rotate", "flatten", "downscale", "crop"];

    let job = null;
    const partly = new Set(); // findings of which some pictures were seen to, so that not all of their files are there
    let report = null; // findings as the server answers them
    let asked = 0; // an answer that was overtaken is not shown
    ds.starts = ds.starts || {};
    ds.doing = ds.doing || {};

    // -- what it is judged for ----------------------------------------------------------------------------------------

    /** What stands in a field of another tab; empty when there is no such field. */
    function standing(name) {
        const found = ds.app().querySelector(`#train_gamma_${name} textarea, #train_gamma_${name} input`);
        return found ? found.value : "";
    }

    /** The section `dataset` of the Train tab's settings; empty fields are left out. */
    function ofTrain() {
        const found = {};
        for (const name of TICKS) {
            const box = ds.app().querySelector(`#train_gamma_dataset_${name} input[type=checkbox]`);
            if (box) found[name] = box.checked;
        }
        for (const name of NUMBERS) {
            const text = standing(`dataset_${name}`).trim();
            if (text !== "" && Number.isFinite(Number(text))) found[name] = Number(text);
        }
        for (const name of TEXTS) {
            const text = standing(`dataset_${name}`);
            if (text !== "") found[name] = name === "filename_join" ? text : text.trim();
        }
        const templates = standing("dataset_templates").split("\n").filter(line => line.trim());
        if (templates.length) found.templates = templates;
        return found;
    }

    /** Name, vectors and first words as the Create tab has them, else as they stand under Prune. */
    function ofCreate() {
        const own = ds.pruneForm(), vectors = Number(standing("embedding_num_vectors"));
        return {
            name: standing("embedding_name").trim() || own.name,
            num_vectors: vectors >= 1 ? Math.round(vectors) : own.num_vectors,
            init_text: standing("embedding_init_text").trim() || ds.value("init_text"),
        };
    }

    function tellSize(dataset) {
        ds.write("examine_told", dataset.width && dataset.height ? `Judged for training at ${dataset.width} x ${dataset.height}, as the Train tab is set.` : "");
    }

    // -- a job, also of the other parts -------------------------------------------------------------------------------

    /** Shows the progress of a job until it is over; resolves to its last state. `name` is that of the bar. */
    ds.watch = async function(id, name, tell) {
        ds.show(`${name}_progress`, true);
        for (;;) {
            const shown = await ds.call(`jobs/${id}`), share = Math.min(1, (shown.done || 0) / Math.max(1, shown.total || 1));
            ds.el(`${name}_bar`).style.width = `${100 * share}%`;
            ds.el(`${name}_progress`).setAttribute("aria-valuenow", Math.round(100 * share));
            tell(shown);
            if (OVER.includes(shown.state)) {
                ds.show(`${name}_progress`, false);
                return shown;
            }
            await new Promise(resolve => setTimeout(resolve, POLL_MS));
        }
    };

    ds.doing.examine = async function() {
        if (ds.now.changed) ds.say("Unsaved changes are not examined: it looks at the captions on disk. Save first to have them looked at.", "note");
        const dataset = ofTrain();
        tellSize(dataset);
        await follow((await ds.post("examine", {...ofCreate(), config: {dataset: dataset}})).job);
        const first = ds.el("findings").querySelector("h4");
        if (first && ds.part() === "check") first.focus({preventScroll: true});
    };

    async function follow(id) {
        const dataset = ds.now.id;
        job = id;
        ds.enable("examine", false);
        ds.show("examine_stop", true);
        try {
            const over = await ds.watch(job, "examine", shown => ds.write("check_told", `${shown.message || "Looking."} ${shown.total ? `${shown.done} of ${shown.total}` : ""}`));
            if (over.state === "failed") throw new ds.Refused(500, over.message);
            if (dataset === ds.now.id) await draw();
            else ds.write("check_told", "");
        } finally {
            job = null;
            ds.enable("examine", true);
            ds.show("examine_stop", false);
            ds.show("examine_progress", false);
        }
    }

    /** The job of the dataset if it is of a kind, also one that was begun before this page was opened. */
    ds.runningJob = async function(kind) {
        if (!ds.now.id || !ds.now.job) return null;
        const found = await ds.call(`jobs/${ds.now.job}`);
        return found.kind === kind && !OVER.includes(found.state) ? found.id : null;
    };

    async function onPart(name) {
        if (name !== "check") return;
        tellSize(ofTrain());
        if (!ds.now.id || job) return;
        const running = await ds.runningJob("examine");
        if (running) ds.carefully(() => follow(running));
        else if (ds.now.examined) await draw();
    }

    ds.doing.examine_stop = () => ds.call(`jobs/${job}/stop`, "POST");

    // -- findings -----------------------------------------------------------------------------------------------------

    async function draw() {
        const mine = ++asked, answer = await ds.get("findings");
        if (mine !== asked) return;
        report = answer;
        const hadFocus = ds.el("findings").contains(document.activeElement);
        const groups = LEVELS.map(([level, title]) => {
            const own = report.findings.filter(one => one.level === level);
            if (!own.length) return null;
            return ds.make("section", "", {"aria-label": title}, ds.make("h4", `${title} (${own.length})`, {tabindex: "-1"}), ds.make("ul", "", {class: "tg-findings"}, ...own.map(line)));
        });
        ds.el("findings").replaceChildren(...groups.filter(group => group));
        if (hadFocus) (ds.el("findings").querySelector("button") || ds.button("examine")).focus({preventScroll: true});
        const counts = report.counts, told = [ds.count(counts.errors, "error"), ds.count(counts.warnings, "warning"), ds.count(counts.notes, "note")];
        const head = report.findings.length ? `Found: ${told.join(", ")}.` : "Nothing is wrong with this dataset.";
        const how = (report.stopped ? " It was stopped, so not all was looked at." : "") + (report.outdated ? " Files were changed since: examine again." : "");
        if (report.examined) ds.write("check_told", head + how);
        for (const name of ["report_html", "report_md"]) ds.show(name, report.examined);
        const last = report.fixes[report.fixes.length - 1];
        ds.show("undo_fix", Boolean(last));
        if (last) ds.button("undo_fix").textContent = `Undo: ${(FIXES[last.action] || [last.action])[0]} (${ds.count(last.files, "file")})`;
    }

    function line(one) {
        const item = ds.make("li", "", {class: `tg-${one.level}`, "data-kind": one.kind}, ds.make("span", one.message), " ", ds.make("span", one.fix));
        if (one.files.length) item.append(ds.make("p", one.files.slice(0, THUMBNAILS).join(", ") + (one.files.length > THUMBNAILS ? ` and ${one.files.length - THUMBNAILS} more` : ""), {class: "tg-quiet"}));
        if (one.pictures.length) item.append(pictures(one));
        const row = ds.make("div", "", {class: "tg-ds-row"});
        if (one.fixed) row.append(ds.make("em", "Fixed."));
        else if (one.fixable && FIXES[one.action]) row.append(ds.makeButton(FIXES[one.action][0], () => fix(one, one.action, null)));
        if (!one.fixed && one.action === "tag") row.append(ds.makeButton("Go to the Tagger", () => ds.openTab("Tagger")));
        if (!one.fixed && one.pictures.length && one.action !== "exclude") row.append(ds.makeButton("Move out of the dataset ...", () => fixSome(one)));
        if (row.children.length) item.append(row);
        return item;
    }

    function pictures(one) {
        const box = ds.make("div", "", {class: "tg-ds-row tg-ds-small-pictures"});
        for (const index of one.pictures.slice(0, THUMBNAILS)) {
            const image = ds.make("img", "", {src: ds.thumbnail(index, 96), alt: `Picture ${index + 1}`, width: 48, height: 48, loading: "lazy"});
            const button = ds.makeButton("", () => ds.showPicture(index, true), {class: "tg-ds-picture", title: "Show this picture"});
            button.append(image);
            box.append(button);
        }
        const told = one.pictures.length === 1 ? "Show it in the list" : `Show these ${one.pictures.length} in the list`;
        box.append(ds.makeButton(told, () => ds.showOnly(one.pictures, `found: ${one.kind.replaceAll("_", " ")}`)));
        return box;
    }

    // -- fixes --------------------------------------------------------------------------------------------------------

    /** Waits for a fix, and shows the findings as they are then, also when it was refused. */
    async function reread(work) {
        try {
            return await work;
        } finally {
            await draw();
        }
    }

    /** Does something about pictures of a finding; null for all that are left of it. */
    async function fix(one, action, chosen) {
        const of = report.examination, name = `${of} ${one.index}`;
        const some = chosen || (partly.has(name) && one.pictures.length ? one.pictures : null);
        const count = (some || one.pictures).length + (some ? 0 : one.files.length), [title, told] = FIXES[action];
        const into = ds.make("input", "", {type: "text", autocomplete: "off", placeholder: "empty: into the dataset"});
        const kept = ANEW.includes(action) ? ["The files as they were are moved into the folder with \u201c_originals\u201d in its name, unless you name a new folder here for the new ones.", ds.make("label", "New folder", {class: "tg-ds-field"}, into)] : [];
        const choice = await ds.ask(`${title}?`, [`${ds.count(count, "file")}: ${told}`, ...kept, "This is done at once, not at the next Save. Undo the last fix takes it back."], [["yes", title, true], ["", "Cancel", false]]);
        if (choice !== "yes") return;
        const request = {examination: of, finding: one.index, pictures: some, action: action === one.action ? "" : action, into: into.value.trim()};
        if (some) partly.add(name);
        const answer = await reread(ds.change("fix", request));
        const problems = answer.fix.problems.length ? `\n${answer.fix.problems.join("\n")}` : "";
        ds.say(`${title}: ${ds.count(answer.fix.files, "file")} changed.${problems}`, problems ? "warning" : "done");
    }

    /** Lets somebody tick which of the pictures of a finding go out of the dataset. */
    async function fixSome(one) {
        const boxes = one.pictures.map(index => {
            const box = ds.make("input", "", {type: "checkbox", "data-index": index});
            return ds.make("label", "", {class: "tg-ds-tick"}, box, ds.make("img", "", {src: ds.thumbnail(index, 96), alt: `Picture ${index + 1}`, width: 72, height: 72, loading: "lazy"}));
        });
        const list = ds.make("div", "", {class: "tg-ds-row"}, ...boxes);
        if (await ds.ask("Which pictures go?", ["Tick those that are to be moved out of the dataset.", list], [["yes", "Go on", true], ["", "Cancel", false]]) !== "yes") return;
        const some = Array.from(list.querySelectorAll("input:checked"), box => Number(box.dataset.index));
        if (some.length) await fix(one, "exclude", some);
    }

    ds.doing.undo_fix = async function() {
        const answer = await reread(ds.change("undo_fix", {id: null}));
        ds.say(answer.done);
        if (ds.button("undo_fix").hidden) ds.button("examine").focus();
    };

    ds.doing.report_html = () => window.open(ds.addressOf("report.html"), "_blank", "noopener");
    ds.doing.report_md = () => window.open(ds.addressOf("report.md"), "_blank", "noopener");

    ds.starts.check = function() {
        ds.on("opened", () => {
            report = null;
            partly.clear();
            ds.el("findings").replaceChildren();
            ds.write("check_told", "");
            for (const name of ["report_html", "report_md", "undo_fix"]) ds.show(name, false);
        });
        ds.on("part", onPart);
        for (const event of ["saved", "renumbered"]) ds.on(event, () => report ? draw() : undefined);
    };
})(train_gamma_dataset);
