// The Dataset tab's folder, its unsaved changes, and what becomes of them: undo, diff, save, and changes of others.

var train_gamma_dataset = train_gamma_dataset || {};

(function(ds) {
    "use strict";

    const POLL_MS = 4000;
    const LOST_MS = 8000;
    const SHOWN_TAGS = 60;
    const FOLDERS = ["#train_gamma_tag_folder", "#train_gamma_dataset_folder"]; // of the Tagger and the Train tab
    const CONFLICT = [
        ["reload", "Take what is on disk", false],
        ["merge", "Put both together", true],
        ["overwrite", "Write mine over it", false],
        ["", "Cancel", false],
    ];

    let timer = 0;
    let taken = 0; // how many states were shown
    let loads = 0; // an answer that was overtaken by another Load is not shown
    const unsaved = new Map(); // names of datasets that have unsaved changes, by id
    ds.starts = ds.starts || {};
    ds.doing = ds.doing || {};

    // -- loading ------------------------------------------------------------------------------------------------------

    async function load() {
        const asked = {folder: ds.value("folder"), recursive: ds.isTicked("recursive"), extension: ds.value("extension")};
        if (!asked.folder) {
            ds.say("Type the path of a folder with pictures, then press Load.", "note");
            ds.el("folder").focus();
            return;
        }
        if (!await ds.settleTyped()) return;
        const form = ds.el("open"), mine = ++loads;
        form.setAttribute("aria-busy", "true");
        try {
            const state = await ds.call("datasets/open", "POST", asked);
            if (mine !== loads) return;
            const isOther = state.id !== ds.now.id, left = isOther ? unsaved.get(ds.now.id) : "", before = ds.listOf(ds.now);
            take(state);
            for (const name of ["banner", "columns", "keys"]) ds.show(name, true);
            ds.show("start", false);
            if (isOther) await ds.tell("opened");
            else if (ds.listOf(state) !== before) await ds.tell("renumbered");
            await ds.tell("changed");
            const unread = (state.problem ? `\n${state.problem}` : "") + (left ? `\n${left} has unsaved changes. They are kept; load it again to save them.` : "");
            if (state.changed) ds.say(`Loaded ${state.name}. It has unsaved changes from before or from another page.${unread}`, "note");
            else ds.say(`Loaded ${ds.count(state.pictures, "picture")} of ${state.name}.${unread}`, unread ? "warning" : "done");
        } finally {
            if (mine === loads) form.removeAttribute("aria-busy");
        }
        schedule();
    }

    /** Fills the folder from what the other tabs hold, as long as nothing stands in it. */
    function prefill() {
        const field = ds.el("folder");
        if (field.value.trim()) return;
        for (const selector of FOLDERS) {
            const found = ds.app().querySelector(`${selector} textarea, ${selector} input`);
            if (found && found.value.trim()) {
                field.value = found.value.trim();
                return;
            }
        }
    }

    // -- the state ----------------------------------------------------------------------------------------------------

    /** Keeps in mind whether a dataset has unsaved changes, be it loaded or not. */
    ds.remember = function(state) {
        if (state.changed) unsaved.set(state.id, state.name);
        else unsaved.delete(state.id);
    };

    function take(state) {
        ds.now = state;
        taken++;
        ds.remember(state);
        const told = [ds.count(state.pictures, "picture")];
        if (state.unreadable) told.push(`${ds.count(state.unreadable, "caption")} unreadable`);
        told.push(state.changed ? `${ds.count(state.changed, "file")} unsaved` : "all saved");
        ds.write("summary", told.join(", "));
        label("undo", "Undo", state.undo);
        label("redo", "Redo", state.redo);
        for (const name of ["diff", "save", "discard"]) ds.enable(name, state.changed > 0);
        const names = state.conflict_names.slice(0, 3).join(", ") + (state.conflicts > 3 ? " and others" : "");
        ds.write("conflict_told", `Another program changed ${ds.count(state.conflicts, "caption file")}: ${names}.`);
        ds.show("conflict", state.conflicts > 0);
    }

    function label(name, word, what) {
        const button = ds.button(name);
        button.textContent = what ? `${word}: ${what}` : word;
        button.title = button.textContent;
        ds.enable(name, Boolean(what));
    }

    /** Takes the state that came with an answer, and shows the captions anew. */
    ds.took = async function(answer) {
        await shown(answer.state || await ds.get(""));
        return answer;
    };

    /** Shows a state and everything that follows from it. */
    async function shown(state) {
        const before = ds.now;
        take(state);
        if (state.id !== before.id) await ds.tell("opened");
        else if (ds.listOf(state) !== ds.listOf(before)) await ds.tell("renumbered");
        await ds.tell("changed");
    }

    /** Sends a change, made from what the page shows. */
    ds.change = async (path, body) => ds.took(await ds.post(path, {version: ds.now.version, ...body}));

    /** What to do when the server refuses something. Nothing that was typed is lost. */
    ds.refused = async function(error) {
        ds.say(error.message, "error");
        if (ds.now.id && error.status === 409 && error.reason !== "busy") {
            ds.say(`${error.message}\nThe lists show what is there now. Nothing was changed by your last step.`, "warning");
            await ds.carefully(async () => shown(await ds.get("")));
        }
    };

    // -- undo, diff, save ---------------------------------------------------------------------------------------------

    async function step(path, word) {
        const answer = await ds.change(path);
        ds.say(answer.label ? `${word}: ${answer.label}.` : "There is nothing to do.", answer.label ? "done" : "note");
    }

    /** A caption before and after, with what went and what came marked. */
    function compared(before, after) {
        const pieces = text => text.split(",").map(piece => piece.trim()).filter(piece => piece);
        const old = pieces(before), now = pieces(after), oldSet = new Set(old), nowSet = new Set(now);
        const line = (list, other, tag) => list.flatMap((piece, index) => {
            const node = other.has(piece) ? document.createTextNode(piece) : ds.make(tag, piece);
            return index ? [", ", node] : [node];
        });
        const empty = text => text.trim() ? [] : [ds.make("em", "nothing")];
        return [
            ds.make("div", "", {class: "tg-ds-old"}, ds.make("span", "before ", {class: "tg-spoken"}), ...line(old, nowSet, "del"), ...empty(before)),
            ds.make("div", "", {class: "tg-ds-new"}, ds.make("span", "after ", {class: "tg-spoken"}), ...line(now, oldSet, "ins"), ...empty(after)),
        ];
    }

    function counted(title, list) {
        if (!list.length) return null;
        const chips = list.slice(0, SHOWN_TAGS).map(one => ds.make("li", `${one.tag} ${one.count}`, {class: "tg-chip"}));
        if (list.length > SHOWN_TAGS) chips.push(ds.make("li", `and ${list.length - SHOWN_TAGS} more`, {class: "tg-quiet"}));
        return ds.make("div", "", {}, ds.make("h4", title), ds.make("ul", "", {class: "tg-chips"}, ...chips));
    }

    /** Shows a difference in a dialog; `choices` as for `ask`. */
    ds.showDiff = function(title, diff, choices) {
        const files = diff.examples.map(one => ds.make("li", "", {}, ds.make("strong", one.name), ...compared(one.old, one.new)));
        const more = diff.files > files.length ? ds.make("p", `And ${ds.count(diff.files - files.length, "more file")}.`) : null;
        const list = ds.make("ul", "", {class: "tg-ds-diff"}, ...files);
        const content = [ds.make("p", `${ds.count(diff.files, "file")} will change.`), counted("Tags added", diff.added), counted("Tags taken out", diff.removed), list, more];
        return ds.ask(title, content.filter(one => one), choices || [["", "Close", true]]);
    };

    ds.doing.undo = () => step("undo", "Taken back");
    ds.doing.redo = () => step("redo", "Made again");
    ds.doing.conflict = () => settle(`Another program changed ${ds.count(ds.now.conflicts, "caption file")} since they were loaded.`);
    ds.doing.save = () => save("refuse");

    ds.doing.diff = async function() {
        const diff = await ds.post("diff", {});
        const choice = await ds.showDiff("Unsaved changes", diff, [["save", "Save", true], ["", "Close", false]]);
        if (choice === "save") await save("refuse");
    };

    ds.doing.discard = async function() {
        const told = `The changes of ${ds.count(ds.now.changed, "file")} that are not saved go. Undo brings them back as long as the program runs.`;
        if (await ds.ask("Discard the changes?", [told], [["yes", "Discard", true], ["", "Cancel", false]]) !== "yes") return;
        await ds.change("discard");
        ds.say("The captions are again as they were saved.");
    };

    async function save(onConflict) {
        const asked = {version: ds.now.version, on_conflict: onConflict};
        const answer = await ds.post("save", asked).catch(error => {
            if (error.reason === "conflict") return error;
            throw error;
        });
        if (answer instanceof Error) {
            await settle(answer.message);
            return;
        }
        await ds.took(answer);
        const typed = ds.isTyped() ? " What you typed as text is not in it: it is not taken over yet." : "";
        const over = answer.taken ? `, ${answer.taken} taken over from disk` : "";
        const kept = answer.backup ? " What was there before is under Saved." : "";
        ds.say(`Saved: ${ds.count(answer.written, "file")} written${over}.${kept}${typed}`);
        await ds.tell("saved");
    }

    async function settle(told) {
        const explained = "Take what is on disk: your changes of these files go. Put both together: tags that one of you added stay, tags that one of you took out go. Write mine over it: the others' changes go, into a backup.";
        const choice = await ds.ask("Changed by another program", [told, explained], CONFLICT);
        if (choice) await save(choice);
    }

    // -- other pages and programs -------------------------------------------------------------------------------------

    async function poll() {
        if (!ds.now.id || !ds.isSeen()) return;
        const before = taken;
        try {
            const state = await ds.get("");
            ds.show("network", false);
            if (taken !== before) return; // an answer that was overtaken
            // after a restart of the server the version may be a lower one, too
            if (state.version === ds.now.version && ds.listOf(state) === ds.listOf(ds.now)) take(state);
            else {
                await shown(state);
                ds.say("The dataset was changed in another window. It is shown as it is now.", "note");
            }
        } catch (error) {
            if (error instanceof ds.Overtaken) return;
            ds.write("network", error.status ? error.message : "The server is not reachable, trying again.");
            ds.show("network", true);
            schedule(LOST_MS);
        }
    }

    function schedule(wait) {
        clearTimeout(timer);
        timer = setTimeout(async () => {
            await poll();
            schedule();
        }, wait || POLL_MS);
    }

    function onKey(event) {
        if (!ds.now.id || !ds.isSeen() || ds.isTyping(event.target) || !(event.ctrlKey || event.metaKey)) return;
        if (event.target !== document.body && !ds.root().contains(event.target)) return;
        if (ds.root().querySelector("dialog[open]")) return;
        const key = event.key.toLowerCase();
        const name = key === "y" || (key === "z" && event.shiftKey) ? "redo" : key === "z" ? "undo" : "";
        if (!name) return;
        event.preventDefault();
        ds.button(name).click();
    }

    ds.starts.folder = function() {
        ds.el("open").addEventListener("submit", event => {
            event.preventDefault();
            ds.carefully(load);
        });
        window.addEventListener("beforeunload", event => {
            if (!unsaved.size && !ds.isTyped()) return;
            event.preventDefault();
            event.returnValue = "";
        });
        document.addEventListener("visibilitychange", () => document.hidden || ds.carefully(poll));
        document.addEventListener("keydown", onKey, true);
        new IntersectionObserver(seen => seen.some(one => one.isIntersecting) && prefill()).observe(ds.root());
    };
})(train_gamma_dataset);
