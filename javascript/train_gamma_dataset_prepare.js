// The Dataset tab's preparation of pictures: what training cuts off, boxes drawn by hand, and copies in a new folder.

var train_gamma_dataset = train_gamma_dataset || {};

(function(ds) {
    "use strict";

    const FIRST = ["into", "crop", "focus", "size", "width", "height", "flipped", "split"];
    const NOT_HERE = ["folder", "recursive", "caption_extensions"]; // they are those of the loaded dataset
    const FROM_TRAIN = ["width", "height", "bucket_step", "bucket_min", "bucket_max", "background"];
    const WAYS = {auto: "around what stands out", middle: "around the middle", box: "your box", split: "split", whole: "nothing is cut"};
    const MOST_ROWS = 200;
    const PAGE = 60;
    const PREVIEW = 512;
    const LARGE = 1024;
    const NUMBERS = ["x", "y", "width", "height"];

    let options = null;
    let job = null;
    let plans = [];
    let planned = 0; // a plan that was asked for anew is not gone on with
    let cropped = null; // the picture whose box is drawn: {index, name, width, height}
    ds.starts = ds.starts || {};
    ds.doing = ds.doing || {};

    // -- the settings -------------------------------------------------------------------------------------------------

    async function drawForm() {
        if (options) return;
        options = (await ds.call("datasets/prepare/options")).options.filter(option => !NOT_HERE.includes(option.key));
        const byKey = new Map(options.map(option => [option.key, option])), rest = options.filter(option => !FIRST.includes(option.key));
        const more = ds.make("details", "", {class: "tg-ds-folded"}, ds.make("summary", "More settings"), ds.make("div", "", {}, ...rest.map(field)));
        ds.el("prepare_form").replaceChildren(...FIRST.filter(key => byKey.has(key)).map(key => field(byKey.get(key))), more);
        prefill();
    }

    const inputOf = key => ds.el("prepare_form").querySelector(`[data-option="${key}"]`);

    function field(option) {
        const told = {"data-option": option.key, title: option.help};
        const help = ds.make("span", option.help, {class: "tg-ds-help"});
        if (typeof option.default === "boolean") {
            const box = ds.make("input", "", {type: "checkbox", ...told});
            box.checked = option.default;
            return ds.make("label", "", {class: "tg-ds-tick"}, box, ds.make("span", option.label), help);
        }
        let input = null;
        if (option.choices) input = ds.make("select", "", told, ...option.choices.map(choice => ds.make("option", choice, {value: choice})));
        else if (Array.isArray(option.default)) input = ds.make("textarea", "", {rows: 2, spellcheck: "false", ...told});
        else if (typeof option.default === "number") input = ds.make("input", "", {type: "number", min: option.minimum, max: option.maximum, step: "any", ...told});
        else input = ds.make("input", "", {type: "text", autocomplete: "off", spellcheck: "false", ...told});
        input.value = Array.isArray(option.default) ? option.default.join("\n") : String(option.default);
        return ds.make("label", option.label, {class: "tg-ds-field"}, input, help);
    }

    function prefill() {
        for (const key of FROM_TRAIN) {
            const found = ds.app().querySelector(`#train_gamma_dataset_${key} input, #train_gamma_dataset_${key} textarea`);
            if (found && found.value.trim() && inputOf(key)) inputOf(key).value = found.value.trim();
        }
    }

    function config() {
        const values = {};
        for (const option of options) {
            const input = inputOf(option.key);
            if (typeof option.default === "boolean") values[option.key] = input.checked;
            else if (Array.isArray(option.default)) values[option.key] = input.value.split("\n").map(line => line.trim()).filter(line => line);
            else if (typeof option.default === "number") values[option.key] = input.value.trim() === "" ? option.default : Number(input.value);
            else values[option.key] = input.value.trim();
        }
        return values;
    }

    // -- the plan -----------------------------------------------------------------------------------------------------

    ds.doing.plan = async function() {
        const mine = ++planned, values = config();
        plans = [];
        for (;;) { // each picture is opened for it, so they come a page at a time
            const answer = await ds.post("prepare/plan", {config: values, offset: plans.length, limit: PAGE});
            if (mine !== planned) return;
            plans = plans.concat(answer.plans);
            drawPlan();
            tellPlan(answer);
            if (!answer.plans.length || plans.length >= answer.total) return;
        }
    };

    function tellPlan(answer) {
        const isAll = plans.length >= answer.total, cut = plans.filter(plan => plan.lost > 0.005).length, wrong = plans.filter(plan => plan.problem).length;
        const told = [isAll ? `${ds.count(plans.length, "picture")}, of which ${cut} are cut.` : `Looking: ${plans.length} of ${answer.total}.`];
        if (wrong) told.push(`${ds.count(wrong, "picture")} cannot be prepared.`);
        if (answer.problem) told.push(answer.problem);
        if (isAll && !config().into) told.push("Name a new folder to write the copies.");
        ds.write("prepare_told", told.join(" "));
        ds.enable("prepare", isAll && plans.length > wrong && !answer.problem && config().into !== "");
    }

    function drawPlan() {
        const sorted = [...plans].sort((one, other) => Boolean(other.problem) - Boolean(one.problem) || other.lost - one.lost);
        const head = ds.make("tr", "", {}, ...["Picture", "Copy", "Cut off", "Size", "Bucket", "How"].map(name => ds.make("th", name, {scope: "col"})));
        const body = ds.make("tbody", "", {}, ...sorted.slice(0, MOST_ROWS).map(planRow));
        const more = sorted.length > MOST_ROWS ? ds.make("p", `And ${sorted.length - MOST_ROWS} more, which lose less.`, {class: "tg-quiet"}) : null;
        ds.el("plan").replaceChildren(ds.make("table", "", {}, ds.make("caption", "What is cut off, the most first", {class: "tg-spoken"}), ds.make("thead", "", {}, head), body), ...(more ? [more] : []));
    }

    const sides = size => size && size[0] ? `${size[0]} \u00d7 ${size[1]}` : "-";

    function planRow(plan) {
        const name = ds.make("td", plan.name, {title: plan.name});
        if (plan.problem) return ds.make("tr", "", {}, name, ds.make("td", plan.problem, {colspan: 5, class: "tg-ds-problem"}));
        const look = ds.makeButton("Look", () => lookAt(plan), {"aria-label": `Look at the copy of ${plan.name}`});
        const open = ds.makeButton("Draw", () => openCrop(plan), {"aria-label": `Draw a box on ${plan.name}`});
        const buckets = new Set(plan.cuts.map(cut => sides([cut.bucket.width, cut.bucket.height])));
        const facts = [ds.percent(plan.lost), sides(plan.size), [...buckets].join(", "), WAYS[plan.how] || plan.how];
        return ds.make("tr", "", {}, name, ds.make("td", "", {}, look, " ", open), ...facts.map(text => ds.make("td", text)));
    }

    async function lookAt(plan) {
        const images = await Promise.all(plan.cuts.map((_, piece) => ds.postForPicture("prepare/preview", {config: config(), index: plan.index, piece: piece, size: PREVIEW})));
        const nodes = images.map((source, piece) => ds.make("img", "", {src: source, alt: `Copy ${piece + 1} of ${plan.name}`}));
        await ds.ask(plan.name, [`Its copy, ${plan.cuts.map(cut => sides(cut.size)).join(", ")} pixels.`, ...nodes], [["", "Close", true]]);
        for (const source of images) URL.revokeObjectURL(source);
    }

    // -- running ------------------------------------------------------------------------------------------------------

    ds.doing.prepare = async () => follow((await ds.post("prepare", {config: config()})).job);

    async function follow(id) {
        job = id;
        ds.enable("prepare", false);
        ds.show("prepare_stop", true);
        try {
            const over = await ds.watch(job, "prepare", shown => ds.write("prepare_told", `${shown.message || "Writing."} ${shown.total ? `${shown.done} of ${shown.total}` : ""}`));
            if (over.state === "failed") throw new ds.Refused(500, over.message);
            const result = over.result, stopped = over.state === "stopped" ? "Stopped. " : "";
            const told = [`${stopped}${ds.count(result.written, "file")} written to ${result.folder}.`, ...result.problems, ...result.notes];
            if (result.unchanged) told.push(`${ds.count(result.unchanged, "file")} were there already.`);
            ds.write("prepare_told", told[0]);
            ds.say(told.join("\n"), result.problems.length ? "warning" : "done");
        } finally {
            job = null;
            ds.enable("prepare", true);
            ds.show("prepare_stop", false);
            ds.show("prepare_progress", false);
        }
    }

    ds.doing.prepare_stop = () => ds.call(`jobs/${job}/stop`, "POST");

    // -- a box by hand ------------------------------------------------------------------------------------------------

    async function openCrop(plan) {
        const all = await ds.get(`pictures/${plan.index}`);
        cropped = {index: plan.index, name: plan.name, width: plan.size[0], height: plan.size[1]};
        ds.write("crop_name", plan.name);
        const image = ds.el("crop_picture");
        image.src = ds.thumbnail(plan.index, LARGE, all.stamp);
        image.alt = `Picture ${plan.name}`;
        image.width = cropped.width;
        image.height = cropped.height;
        const whole = {x: 0, y: 0, width: cropped.width, height: cropped.height};
        ds.show("crop", true);
        setBox(plan.cuts.length ? plan.cuts[0].box : whole);
        ds.el("crop").scrollIntoView({block: "nearest"});
        ds.el("crop_x").focus({preventScroll: true});
    }

    function boxNow() {
        return Object.fromEntries(NUMBERS.map(name => [name, ds.whole(`crop_${name}`) || 0]));
    }

    function setBox(box) {
        for (const name of NUMBERS) ds.el(`crop_${name}`).value = String(Math.round(box[name]));
        drawBox();
    }

    function drawBox() {
        const box = boxNow(), part = ds.el("crop_box");
        const shares = {left: box.x / cropped.width, top: box.y / cropped.height, width: box.width / cropped.width, height: box.height / cropped.height};
        for (const [name, share] of Object.entries(shares)) part.style[name] = `${100 * Math.min(1, share)}%`;
        ds.show("crop_box", box.width > 0 && box.height > 0);
    }

    function onDraw(event) {
        if (event.button !== 0 || !cropped) return;
        event.preventDefault();
        const area = ds.el("crop_area");
        const at = moved => {
            const frame = ds.el("crop_picture").getBoundingClientRect();
            const share = (value, from, size) => Math.min(1, Math.max(0, (value - from) / size));
            return [share(moved.clientX, frame.left, frame.width) * cropped.width, share(moved.clientY, frame.top, frame.height) * cropped.height];
        };
        const start = at(event);
        const onMove = moved => {
            const now = at(moved);
            setBox({x: Math.min(start[0], now[0]), y: Math.min(start[1], now[1]), width: Math.abs(now[0] - start[0]), height: Math.abs(now[1] - start[1])});
        };
        area.setPointerCapture(event.pointerId);
        area.addEventListener("pointermove", onMove);
        area.addEventListener("pointerup", () => area.removeEventListener("pointermove", onMove), {once: true});
    }

    function keepBox(line) {
        const field = inputOf("boxes"), others = field.value.split("\n").filter(one => one.trim() && one.slice(0, one.lastIndexOf("=")).trim() !== cropped.name);
        field.value = [...others, ...(line ? [line] : [])].join("\n");
        return ds.doing.plan();
    }

    ds.doing.crop_use = async function() {
        const box = boxNow();
        await keepBox(`${cropped.name} = ${NUMBERS.map(name => box[name]).join(", ")}`);
    };

    ds.doing.crop_none = async function() {
        await keepBox("");
        ds.show("crop", false);
        ds.button("plan").focus();
    };

    ds.starts.prepare = function() {
        ds.on("part", async name => {
            if (name !== "prepare") return;
            await drawForm();
            const running = job ? null : await ds.runningJob("prepare");
            if (running) ds.carefully(() => follow(running));
        });
        ds.on("renumbered", () => {
            planned++;
            if (plans.length) ds.write("prepare_told", "The pictures are other ones now. Show the plan anew.");
            plans = [];
            ds.el("plan").replaceChildren();
            ds.show("crop", false);
            ds.enable("prepare", false);
        });
        ds.on("opened", () => {
            plans = [];
            ds.el("plan").replaceChildren();
            ds.write("prepare_told", "");
            ds.show("crop", false);
            ds.enable("prepare", false);
        });
        ds.el("prepare_form").addEventListener("input", () => {
            planned++;
            ds.enable("prepare", false);
            if (plans.length) ds.write("prepare_told", "The settings are other ones now. Show the plan anew.");
        });
        ds.el("crop_area").addEventListener("pointerdown", onDraw);
        for (const name of NUMBERS) ds.el(`crop_${name}`).addEventListener("input", drawBox);
    };
})(train_gamma_dataset);
