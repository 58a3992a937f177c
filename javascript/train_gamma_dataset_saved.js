// The Dataset tab's backups, and the exchange of captions with kohya's scripts.

var train_gamma_dataset = train_gamma_dataset || {};

(function(ds) {
    "use strict";

    const SHOWN_NAMES = 5;
    ds.starts = ds.starts || {};
    ds.doing = ds.doing || {};

    // -- backups ------------------------------------------------------------------------------------------------------

    async function draw() {
        if (!ds.now.id) return;
        const backups = (await ds.get("backups")).backups, list = ds.el("backups");
        const focused = list.contains(document.activeElement) ? document.activeElement.closest("li").dataset.name : null;
        list.replaceChildren(...backups.map(line));
        if (!backups.length) list.append(ds.make("li", "There is none yet: nothing of this folder was saved.", {class: "tg-quiet"}));
        if (focused === null) return;
        const same = Array.from(list.children).find(item => item.dataset.name === focused);
        ((same && same.querySelector("button")) || ds.button("backups")).focus({preventScroll: true});
    }

    function line(backup) {
        const when = new Date(backup.when).toLocaleString();
        const told = `${when}: ${ds.count(backup.changed, "file")} changed${backup.created ? `, ${backup.created} new` : ""}`;
        return ds.make("li", "", {class: "tg-ds-row tg-ds-between", "data-name": backup.name}, ds.make("span", told),
            ds.makeButton("Put back", () => restore(backup, told), {"aria-label": `Put back ${told}`}));
    }

    async function restore(backup, told) {
        const content = [`The captions become again what they were before this save: ${told}.`, "What is there now goes into a backup of its own, so this can be taken back too."];
        if (ds.now.changed) content.push(`${ds.count(ds.now.changed, "file")} with unsaved changes: save or discard them first.`);
        if (await ds.ask("Put these captions back?", content, [["yes", "Put back", true], ["", "Cancel", false]]) !== "yes") return;
        const answer = await ds.change("restore", {name: backup.name});
        await draw();
        ds.say(answer.done);
    }

    ds.doing.backups = draw;

    // -- kohya's metadata ---------------------------------------------------------------------------------------------

    function path() {
        const found = ds.value("kohya_path");
        if (!found) {
            ds.write("kohya_told", "Type the path of a JSON file first.");
            ds.el("kohya_path").focus();
        }
        return found;
    }

    ds.doing.kohya_import = async function() {
        if (!path()) return;
        const request = {path: path(), part: ds.value("kohya_part"), mode: ds.value("kohya_mode")};
        const preview = await ds.post("kohya/import", {version: ds.now.version, preview: true, ...request});
        const unmatched = preview.unmatched.slice(0, SHOWN_NAMES).join(", ") + (preview.unmatched.length > SHOWN_NAMES ? " and others" : "");
        const told = `${ds.count(preview.matched, "picture")} found in it.${unmatched ? ` No picture here: ${unmatched}.` : ""}`;
        ds.write("kohya_told", told);
        if (!preview.files) {
            ds.write("kohya_told", `${told} No caption would change.`);
            return;
        }
        if (await ds.showDiff("Import", preview.diff, [["yes", "Import", true], ["", "Cancel", false]]) !== "yes") return;
        const answer = await ds.change("kohya/import", request);
        ds.say(`Imported: ${ds.count(answer.files, "file")} changed. Nothing is written yet.`);
    };

    ds.doing.kohya_export = async function() {
        const name = path();
        if (!name) return;
        const request = {path: name, full_path: ds.isTicked("kohya_full_path"), part: ds.value("kohya_export_part") || null, merge: false, overwrite: false};
        let answer = null;
        try {
            answer = await ds.post("kohya/export", request);
        } catch (error) {
            if (error.reason !== "exists") throw error;
            const choices = [["merge", "Merge into it", true], ["overwrite", "Replace it", false], ["", "Cancel", false]];
            const choice = await ds.ask("Export", [error.message], choices);
            if (!choice) return;
            answer = await ds.post("kohya/export", {...request, [choice]: true});
        }
        ds.write("kohya_told", `${ds.count(answer.pictures, "picture")} written to ${answer.path}.`);
    };

    ds.starts.saved = function() {
        const drawSeen = () => ds.part() === "saved" ? draw() : undefined;
        ds.on("part", drawSeen);
        ds.on("saved", drawSeen);
        ds.on("opened", () => {
            ds.write("saved_told", "");
            ds.write("kohya_told", "");
            return drawSeen();
        });
    };
})(train_gamma_dataset);
