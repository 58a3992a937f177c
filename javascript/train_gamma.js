// Draws running jobs on the Train Gamma page and connects the page with the WebUI's txt2img tab.
// Runs in the WebUI's page and in the stand-alone one. Its only global is `train_gamma`.

var train_gamma = (function() {
    "use strict";

    const API = "./train-gamma/v1/"; // relative, so that a page under a subpath finds it
    const RUNNING_MS = 1000;
    const IDLE_MS = 3000;
    const RETRY_MS = 5000;
    const HIDDEN_TIMES = 5; // a page in the background asks so much less often
    const TYPING_MS = 450;
    const CHOSEN_MS = 100; // what was chosen is in its field by then
    const SLIDING_MS = 60; // a slider that moves is answered while it moves
    const LOST_MS = 20000; // an answer that has not come by then is not waited for
    const RESTORE_MS = 16000; // after a page that takes so long to come, nobody would want it filled any more
    const MOST_PREVIEW_STEPS = 8;
    const MOST_FAILED = 200;
    const SMOOTHING = 0.98; // per step, as the server smooths
    const OVER = ["finished", "stopped", "failed"];
    const LISTS_OF_TXT2IMG = ["#txt2img_textual_inversion_extra_refresh", "#txt2img_extra_refresh"];

    let panel = null;
    let job = null; // the latest snapshot of the training that is shown
    let points = []; // of the loss curve: [step, loss]
    let tagPanel = null;
    let tagJob = null; // the latest snapshot of the tagging that is shown
    let timer = 0;
    const settling = {};
    let asked = false;
    const toldTenths = {};

    /** What the server is asked, each by a button of its own; `live` is what the Tagger tab shows of one picture. */
    const forms = {run: asker("refresh", LOST_MS), tag: asker("tag_refresh", LOST_MS), live: asker("tag_live", LOST_MS / 5)};
    const OPENED_BY = {run: "restore", tag: "tag_restore"};
    const TABS_OF = {run: ["tab_create", "tab_train"], tag: ["tab_tagger"]};
    const LISTS_OF = {run: "lists", tag: "tag_lists"};

    // -- the page -----------------------------------------------------------------------------------------------------

    function app() {
        return typeof gradioApp === "function" ? gradioApp() : document;
    }

    function byId(name) {
        return app().querySelector("#train_gamma_" + name);
    }

    function part(name, root) {
        return (root || panel).querySelector(`[data-tg="${name}"]`);
    }

    function make(tag, text, attributes) {
        const element = document.createElement(tag);
        if (text) element.textContent = text;
        for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
        return element;
    }

    function say(name, text, root) {
        const element = part(name, root);
        if (element.textContent !== text) element.textContent = text;
    }

    function show(name, visible, root) {
        part(name, root).hidden = !visible;
    }

    function press(name) {
        const button = byId(name);
        if (button) button.click();
    }

    // -- the forms ----------------------------------------------------------------------------------------------------

    function formNow(name) {
        const tagger = byId("tab_tagger");
        const inputs = Array.from(byId("tabs").querySelectorAll("input:not([type=file]), textarea"));
        const own = inputs.filter(input => tagger.contains(input) === (name === "tag"));
        return own.map(input => ["checkbox", "radio"].includes(input.type) ? input.checked : input.value).join("\n");
    }

    function onInput(event) {
        const name = byId("tab_tagger").contains(event.target) ? "tag" : "run";
        const now = formNow(name), isNew = now !== forms[name].seen;
        const isSlider = name === "tag" && event.target.type === "range";
        forms[name].seen = now;
        if (isSlider && event.type === "input") forms.live.refresh(SLIDING_MS);
        else if (isNew || (isSlider && event.type === "change")) refresh(name);
    }

    /** Presses a button that asks the server, when nobody has typed for a moment, and one question after the other. */
    function asker(button, lostMs) {
        let waiting = 0, askedAt = -lostMs, isNewer = false;

        function refresh(wait) {
            clearTimeout(waiting);
            waiting = setTimeout(ask, wait);
        }

        // gradio 3 drops an event whose handler is still at work on the one before, so we wait for it ourselves
        function ask() {
            const left = askedAt + lostMs - Date.now();
            isNewer = left > 0;
            if (isNewer) {
                refresh(left); // an answer that never comes is not waited for
                return;
            }
            askedAt = Date.now();
            press(button);
        }

        function answered() {
            askedAt = -lostMs;
            if (isNewer) refresh(SLIDING_MS);
            isNewer = false;
        }

        return {refresh, answered, seen: "", isOpen: false};
    }

    /** Asks the server for everything that follows from a form, when nobody has typed for a moment. */
    function refresh(name) {
        forms[name || "run"].refresh(TYPING_MS);
    }

    /** Called when the answer to what a form asked is shown. */
    function answered(name) {
        forms[name].answered();
        if (name === "tag") forms.live.refresh(0);
    }

    /** Resolves to the value as a list when it has stayed for a moment; never, when another one of the name came after. */
    function settled(name, value) {
        clearTimeout(settling[name]);
        return new Promise(resolve => {
            settling[name] = setTimeout(resolve, TYPING_MS, [value]);
        });
    }

    /** Called when the server has filled a form of a page that was just opened. */
    function opened(name) {
        forms[name].isOpen = true;
        hold(name, false);
        press(LISTS_OF[name]);
        refresh(name);
    }

    /** A form that is about to be filled takes no input, as the answer would write over it. */
    function hold(name, isHeld) {
        for (const tab of TABS_OF[name]) byId(tab).inert = isHeld;
    }

    function restore(name, wait) {
        const isOver = forms[name].isOpen || wait > RESTORE_MS;
        hold(name, !isOver);
        if (isOver) return;
        press(OPENED_BY[name]); // lost while gradio is still attaching its handlers, so it is tried again
        setTimeout(() => restore(name, 2 * wait), wait);
    }

    /** Asks for what there is to choose from. Files may have changed, so the tagger's form is answered anew too. */
    function lookUp() {
        for (const button of Object.values(LISTS_OF)) press(button);
        refresh("tag");
    }

    // -- asking the server --------------------------------------------------------------------------------------------

    async function call(path, method) {
        const headers = {"X-Train-Gamma-Token": panel.dataset.token};
        const response = await fetch(API + path, {method: method || "GET", headers: headers});
        if (response.ok) return response.json();
        const answer = await response.json().catch(() => ({}));
        const error = new Error(typeof answer.detail === "string" ? answer.detail : `The server answers ${response.status}.`);
        error.status = response.status;
        throw error;
    }

    function isGoing(snapshot) {
        return snapshot !== null && !OVER.includes(snapshot.state);
    }

    function isRunning() {
        return isGoing(job);
    }

    /** The job that runs; for a page that was just opened the latest of each sort, as its result may not be seen yet. */
    async function newJobs() {
        if (asked) {
            const id = (await call("state")).job;
            return id ? [id] : [];
        }
        const known = (await call("jobs")).jobs;
        asked = true;
        const latest = [known.find(one => one.kind !== "tag"), known.find(one => one.kind === "tag")];
        return latest.filter(one => one).map(one => one.id);
    }

    async function ask() {
        const going = [job, tagJob].find(isGoing);
        if (going) {
            const since = points.length ? points[points.length - 1][0] : 0;
            take(await call(`jobs/${going.id}?since=${going === job ? since : 0}`));
            return;
        }
        for (const id of await newJobs()) {
            if (![job, tagJob].some(one => one && one.id === id)) take(await call(`jobs/${id}?since=0`));
        }
    }

    function isSeen() {
        return [panel, tagPanel].some(one => one.offsetParent !== null);
    }

    async function tick() {
        let wait = RETRY_MS;
        try {
            if (isGoing(job) || isGoing(tagJob) || isSeen()) await ask();
            tellNetwork("");
            wait = isGoing(job) || isGoing(tagJob) ? RUNNING_MS : IDLE_MS;
        } catch (error) {
            if (error.status === 404) job = tagJob = null; // the server was started anew and knows nothing of them
            tellNetwork(networkTold(error));
        }
        clearTimeout(timer);
        timer = setTimeout(tick, document.hidden ? wait * HIDDEN_TIMES : wait);
    }

    function networkTold(error) {
        if (error.status === 401 || error.status === 403) return "The server does not know this page any more. Reload the page.";
        if (error.status) return `${error.message} Trying again.`;
        return "The server is not reachable, trying again.";
    }

    function tellNetwork(text) {
        for (const root of [panel, tagPanel]) {
            say("network", text, root);
            show("network", text !== "", root);
        }
    }

    /** Looks for a job at once, be it one that was begun just now and is over already. */
    function look() {
        asked = false;
        clearTimeout(timer);
        tick();
    }

    async function command(name, to) {
        try {
            await call(`jobs/${(to || job).id}/${name}`, "POST");
            look();
        } catch (error) {
            tellNetwork(networkTold(error));
        }
    }

    // -- drawing the job ----------------------------------------------------------------------------------------------

    function take(snapshot) {
        if (snapshot.kind === "tag") takeTagging(snapshot);
        else takeTraining(snapshot);
        const others = [[panel, tagJob, "Pictures are being tagged", "Training"], [tagPanel, job, "An embedding is being trained", "Tagging"]];
        for (const [root, other, what, waits] of others) {
            say("other", isGoing(other) ? `${what}: ${other.title}. ${waits} can begin when that is over.` : "", root);
            show("other", isGoing(other), root);
        }
    }

    function takeTraining(snapshot) {
        const isNew = job === null || job.id !== snapshot.id;
        const wasRunning = isRunning();
        if (isNew) {
            points = [];
            part("pictures").replaceChildren();
        }
        job = snapshot;
        const last = points.length ? points[points.length - 1][0] : -1;
        points = points.concat(job.curve.filter(point => point[0] > last && point[1] !== null));
        drawState();
        drawFacts();
        drawWarnings(job, panel);
        drawCurve();
        drawPreviews();
        if (wasRunning && !isRunning() && !isNew) ended();
    }

    function ended() {
        const started = byId("train_message").querySelector(".tg-message");
        if (started) started.hidden = true; // what it says is over
        lookUp();
        refresh();
    }

    function drawHead(snapshot, root, done, total) {
        say("state", snapshot.state, root);
        part("state", root).dataset.state = snapshot.state;
        say("message", snapshot.message, root);
        const share = Math.min(1, done / Math.max(1, total));
        const tenth = `${snapshot.id} ${snapshot.state} ${Math.floor(10 * share)}`;
        if (tenth !== toldTenths[root.id]) say("spoken", `${snapshot.title}, ${snapshot.state}. ${snapshot.message}`, root);
        toldTenths[root.id] = tenth;
        show("running", true, root);
        root.closest(".tg-side").classList.add("tg-has-job");
        part("commands", root).hidden = !isGoing(snapshot);
        part("bar", root).style.width = `${100 * share}%`;
        part("bar", root).parentElement.setAttribute("aria-valuenow", Math.round(100 * share));
    }

    function drawWarnings(snapshot, root) {
        const list = part("warnings", root);
        if (list.children.length !== snapshot.warnings.length) {
            list.replaceChildren(...snapshot.warnings.map(text => {
                const item = make("li", "", {class: "tg-warning"});
                item.append(make("strong", "Warning"), " ", make("span", text));
                return item;
            }));
        }
        list.hidden = !snapshot.warnings.length;
    }

    function drawState() {
        drawHead(job, panel, job.step, job.total_steps);
        for (const button of part("commands").children) {
            button.disabled = job.state === "stopping" || (button.dataset.tgCommand !== "stop" && job.state !== "running");
        }
        const usable = ["finished", "stopped"].includes(job.state) && job.embedding && job.step > 0;
        show("result", usable && hasTxt2img());
    }

    function drawFacts() {
        say("step", `${job.step} of ${job.total_steps}`);
        say("epoch", job.epoch === null ? "-" : String(job.epoch + 1));
        say("eta", isRunning() ? duration(job.eta_seconds) : "-");
        say("seconds", duration(job.seconds));
        say("loss", number(job.smoothed_loss));
        say("rate", job.learning_rate === null ? "-" : String(Number(job.learning_rate.toPrecision(3))));
        say("speed", job.seconds_per_step === null ? "-" : `${Number(job.seconds_per_step.toPrecision(3))} s`);
        say("memory", bytes(job.memory_peak_bytes || job.memory_bytes));
    }

    function drawPreviews() {
        const box = part("pictures");
        for (const preview of job.previews.slice(-MOST_PREVIEW_STEPS)) {
            const key = `${job.id} ${preview.step}`;
            if (Array.from(box.children).some(figure => figure.dataset.key === key)) continue;
            const figure = make("figure", "", {"data-key": key});
            for (let index = 0; index < preview.count; index++) figure.append(picture(preview.step, index));
            figure.append(make("figcaption", `Step ${preview.step}`));
            box.prepend(figure);
        }
        while (box.children.length > MOST_PREVIEW_STEPS) box.lastElementChild.remove();
        show("previews", box.children.length > 0);
    }

    function picture(step, index) {
        const token = encodeURIComponent(panel.dataset.token);
        const source = `${API}jobs/${job.id}/previews/${step}/${index}?token=${token}`;
        const told = `Preview ${index + 1} at step ${step}`;
        const button = make("button", "", {type: "button", title: told});
        button.append(make("img", "", {src: source, alt: told, loading: "lazy"}));
        button.addEventListener("click", () => enlarge(source, told));
        return button;
    }

    function enlarge(source, told) {
        const dialog = make("dialog", "", {"aria-label": told});
        const close = make("button", "Close", {type: "button"});
        close.addEventListener("click", () => dialog.close());
        dialog.append(make("img", "", {src: source, alt: told}), make("p", told), close);
        dialog.addEventListener("keydown", event => event.stopPropagation()); // the WebUI takes Esc for Interrupt
        dialog.addEventListener("click", event => event.target === dialog && dialog.close());
        dialog.addEventListener("close", () => dialog.remove());
        panel.append(dialog);
        dialog.showModal();
    }

    // -- drawing a tagging --------------------------------------------------------------------------------------------

    function takeTagging(snapshot) {
        const wasGoing = tagJob === null || tagJob.id !== snapshot.id || isGoing(tagJob);
        tagJob = snapshot;
        drawHead(tagJob, tagPanel, tagJob.done, tagJob.total);
        part("cancel", tagPanel).disabled = tagJob.state === "stopping";
        const left = isGoing(tagJob) ? duration(tagJob.eta_seconds) : "-";
        const facts = {
            done: `${tagJob.done} of ${tagJob.total}`,
            eta: left,
            seconds: duration(tagJob.seconds),
            speed: tagJob.per_second ? `${Number(tagJob.per_second.toPrecision(3))} per s` : "-",
            device: tagJob.device || "-",
        };
        for (const [name, text] of Object.entries(facts)) say(name, text, tagPanel);
        drawWarnings(tagJob, tagPanel);
        drawResult(isGoing(tagJob) ? null : tagJob.result);
        if (!wasGoing || isGoing(tagJob)) return;
        const started = byId("tag_message").querySelector(".tg-message");
        if (started) started.hidden = true; // what it says is over
        lookUp();
    }

    function drawResult(result) {
        const counts = part("counts", tagPanel), failed = result ? result.failed : [];
        const told = result ? [["Captions written", result.written], ["Of them merged", result.merged], ["Skipped", result.skipped], ["Unchanged", result.unchanged], ["Failed", failed.length]] : [];
        counts.replaceChildren(...told.filter(([, count]) => count).map(([name, count]) => {
            const fact = make("div");
            fact.append(make("dt", name), make("dd", String(count)));
            return fact;
        }));
        counts.hidden = !counts.children.length;
        const items = failed.slice(0, MOST_FAILED).map(one => {
            const item = make("li", "", {class: "tg-error"});
            if (!one.reason.includes(one.path)) item.append(make("strong", one.path), " ");
            item.append(make("span", one.reason));
            return item;
        });
        if (failed.length > MOST_FAILED) items.push(make("li", `And ${failed.length - MOST_FAILED} more.`));
        part("failed", tagPanel).replaceChildren(...items);
        show("failures", failed.length > 0, tagPanel);
        show("result", Boolean(result && result.backup), tagPanel);
    }

    function showBackups() {
        const group = byId("group_tag_backups"), heading = group.querySelector(".label-wrap");
        if (!heading.classList.contains("open")) heading.click();
        group.scrollIntoView({block: "center"});
        heading.focus();
    }

    // -- the loss curve -----------------------------------------------------------------------------------------------

    function drawCurve() {
        const evaluations = job.evaluations.filter(point => point[1] !== null);
        show("curve", points.length > 1 || evaluations.length > 1);
        if (part("curve").hidden) return;
        const smooth = smoothed(points);
        part("plot").replaceChildren(plot(points, smooth, evaluations));
        say("told", toldOfCurve(smooth, evaluations));
    }

    /** Exponential mean without the bias of its start; the steps that were thinned out count. */
    function smoothed(raw) {
        let sum = 0, weight = 0, before = raw.length ? raw[0][0] - 1 : 0;
        return raw.map(([step, loss]) => {
            const keep = SMOOTHING ** Math.max(1, step - before);
            before = step;
            sum = keep * sum + (1 - keep) * loss;
            weight = keep * weight + (1 - keep);
            return [step, sum / weight];
        });
    }

    function toldOfCurve(smooth, evaluations) {
        const told = [];
        if (smooth.length > 1) told.push(`Smoothed loss: ${ends(smooth)}.`);
        if (evaluations.length > 1) told.push(`Evaluation loss: ${ends(evaluations)}.`);
        return told.join(" ");
    }

    function ends(line) {
        const first = line[0], last = line[line.length - 1];
        return `${number(first[1])} at step ${first[0]}, ${number(last[1])} at step ${last[0]}`;
    }

    function plot(raw, smooth, evaluations) {
        const width = Math.max(280, part("plot").clientWidth), height = 220;
        const area = {left: 52, right: width - 10, top: 26, bottom: height - 34};
        const x = axis([0, Math.max(job.total_steps, job.step, 1)], [area.left, area.right]);
        const y = axis(lossRange(raw, smooth, evaluations), [area.bottom, area.top]);
        const svg = shape("svg", {viewBox: `0 0 ${width} ${height}`, width: width, height: height, role: "img"});
        svg.setAttribute("aria-label", `Loss curve. ${toldOfCurve(smooth, evaluations)}`);
        for (const value of ticks(y.from, y.to, 4)) {
            svg.append(shape("line", {x1: area.left, x2: area.right, y1: y(value), y2: y(value), class: "tg-grid"}));
            svg.append(label(String(value), area.left - 6, y(value) + 4, "end"));
        }
        for (const value of ticks(x.from, x.to, Math.floor(width / 90))) {
            svg.append(label(String(value), x(value), area.bottom + 16, "middle"));
        }
        svg.append(label("step", (area.left + area.right) / 2, height - 3, "middle"));
        svg.append(shape("path", {d: line(raw, x, y), class: "tg-raw"}));
        svg.append(shape("path", {d: line(smooth, x, y), class: "tg-smooth"}));
        svg.append(shape("path", {d: line(evaluations, x, y), class: "tg-evaluated"}));
        for (const [step, loss] of evaluations) {
            svg.append(shape("circle", {cx: x(step), cy: y(loss), r: 3.5, class: "tg-evaluation"}));
        }
        legend(svg, area.left);
        return svg;
    }

    function legend(svg, left) {
        for (const [index, [name, text]] of [["tg-raw", "each step"], ["tg-smooth", "smoothed"], ["tg-evaluated", "evaluation"]].entries()) {
            const start = left + index * 96;
            svg.append(shape("line", {x1: start, x2: start + 18, y1: 10, y2: 10, class: name}));
            if (name === "tg-evaluated") svg.append(shape("circle", {cx: start + 9, cy: 10, r: 3.5, class: "tg-evaluation"}));
            svg.append(label(text, start + 23, 14, "start"));
        }
    }

    /** From the second to the 98th percentile of the single steps, so that one outlier does not flatten the rest. */
    function lossRange(raw, smooth, evaluations) {
        const sorted = raw.map(point => point[1]).sort((a, b) => a - b);
        const most = [...smooth, ...evaluations].map(point => point[1]);
        if (sorted.length) most.push(sorted[Math.floor(0.02 * (sorted.length - 1))], sorted[Math.ceil(0.98 * (sorted.length - 1))]);
        const low = Math.min(...most), high = Math.max(...most);
        const margin = (high - low || high || 1) * 0.06;
        return [Math.max(0, low - margin), high + margin];
    }

    function axis([from, to], [start, end]) {
        const place = value => start + (end - start) * Math.min(1, Math.max(0, (value - from) / (to - from)));
        return Object.assign(place, {from: from, to: to});
    }

    function ticks(from, to, count) {
        const rough = (to - from) / Math.max(1, count);
        const power = 10 ** Math.floor(Math.log10(rough));
        const size = [1, 2, 5, 10].find(factor => factor * power >= rough) * power;
        const found = [];
        for (let k = Math.ceil(from / size); k * size <= to; k++) found.push(Number((k * size).toPrecision(10)));
        return found;
    }

    function line(data, x, y) {
        return data.map(([step, loss], index) => `${index ? "L" : "M"}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`).join("");
    }

    function shape(tag, attributes) {
        const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
        for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
        return element;
    }

    function label(text, x, y, anchor) {
        const element = shape("text", {x: x, y: y, "text-anchor": anchor});
        element.textContent = text;
        return element;
    }

    // -- numbers for people -------------------------------------------------------------------------------------------

    function number(value) {
        return value === null || value === undefined ? "-" : value.toPrecision(3);
    }

    function duration(seconds) {
        if (seconds === null || seconds === undefined) return "-";
        const whole = Math.round(seconds), hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
        if (hours) return `${hours} h ${minutes} min`;
        return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
    }

    function bytes(value) {
        if (!value) return "-";
        const gib = value / 2 ** 30;
        return gib >= 1 ? `${gib.toFixed(1)} GiB` : `${Math.round(value / 2 ** 20)} MiB`;
    }

    // -- txt2img ------------------------------------------------------------------------------------------------------

    function hasTxt2img() {
        return app().querySelector("#txt2img_prompt textarea") !== null;
    }

    function valueOf(selector) {
        const input = app().querySelector(selector);
        return input ? input.value.replace(/\s*\n\s*/g, " ").trim() : "";
    }

    function type(input, text) {
        input.value = text;
        if (typeof updateInput === "function") updateInput(input);
        else input.dispatchEvent(new Event("input", {bubbles: true}));
    }

    /** The txt2img tab as a line of preview prompts, put below those there are. */
    function addPrompt(prompts) {
        const plain = text => text.replace(/(^|\s)--(?=[A-Za-z])/g, "$1- -"); // no option of the syntax
        const options = {
            n: plain(valueOf("#txt2img_neg_prompt textarea")),
            w: valueOf("#txt2img_width input[type=number]"),
            h: valueOf("#txt2img_height input[type=number]"),
            d: valueOf("#txt2img_seed input"),
            l: valueOf("#txt2img_cfg_scale input[type=number]"),
            s: valueOf("#txt2img_steps input[type=number]"),
        };
        if (Number(options.d) < 0) options.d = ""; // a seed drawn anew each time could not be compared
        let text = plain(valueOf("#txt2img_prompt textarea")) || "[name]";
        for (const [letter, value] of Object.entries(options)) if (value) text += ` --${letter} ${value}`;
        return prompts && prompts.trim() ? `${prompts.trimEnd()}\n${text}` : text;
    }

    function sendToTxt2img() {
        const area = app().querySelector("#txt2img_prompt textarea");
        const before = area.value.trim().replace(/,$/, "");
        if (!before.includes(job.embedding)) type(area, before ? `${before}, ${job.embedding}` : job.embedding);
        if (typeof switch_to_txt2img === "function") switch_to_txt2img();
        area.focus();
    }

    function refreshTxt2img() {
        const found = LISTS_OF_TXT2IMG.map(selector => app().querySelector(selector)).find(button => button);
        if (found) found.click();
    }

    // -- start --------------------------------------------------------------------------------------------------------

    const COMMANDS = {
        cancel: () => command("stop", tagJob),
        backups: showBackups,
        stop: () => command("stop"),
        save: () => command("save"),
        preview: () => command("preview"),
        send: sendToTxt2img,
        lists: refreshTxt2img,
    };

    /** Headings of accordions are no buttons in gradio 3; the keyboard has to reach them all the same. */
    function reachAccordions() {
        for (const heading of byId("tabs").querySelectorAll("div.label-wrap")) {
            const tell = () => heading.setAttribute("aria-expanded", heading.classList.contains("open"));
            heading.tabIndex = 0;
            heading.setAttribute("role", "button");
            heading.addEventListener("click", () => setTimeout(tell));
            heading.addEventListener("keydown", event => {
                if (event.key !== "Enter" && event.key !== " ") return;
                event.preventDefault();
                heading.click();
            });
            tell();
        }
    }

    function start() {
        [panel, tagPanel] = [byId("run"), byId("tagging")];
        const tabs = byId("tabs");
        for (const button of tabs.querySelectorAll("[data-tg-command]")) {
            button.addEventListener("click", COMMANDS[button.dataset.tgCommand]);
        }
        for (const event of ["input", "change"]) tabs.addEventListener(event, onInput);
        // gradio 3 writes what was chosen of a dropdown into its field only when the field has been left
        tabs.addEventListener("focusout", event => setTimeout(onInput, CHOSEN_MS, event));
        tabs.parentElement.classList.toggle("tg-beside-txt2img", hasTxt2img());
        document.addEventListener("visibilitychange", () => {
            if (document.hidden) return;
            lookUp();
            look();
        });
        reachAccordions();
        for (const name of Object.keys(OPENED_BY)) restore(name, 2000);
        tick();
    }

    function waitForPage(ms) {
        if (byId("run") && byId("tagging") && byId("tag_refresh")) start();
        else setTimeout(waitForPage, ms, Math.min(2000, ms + 50)); // a tab that is hidden in the settings never comes
    }

    waitForPage(200);
    return {refresh, answered, settled, opened, look, lookUp, addPrompt};
})();
