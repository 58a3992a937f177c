// Lists of the Dataset tab that are worked with keys: one item has the focus, and it stays when the list is drawn anew.

var train_gamma_dataset = train_gamma_dataset || {};

(function(ds) {
    "use strict";

    ds.starts = ds.starts || {};
    ds.starts.lists = () => {};

    /**
     * Makes a list of items that arrows move in.
     *
     * Items have a `data-key` that stays theirs. `does` has: enter(item, event), space(item, event), range(items) for
     * what Shift reaches over, all(), key(item, event) for other keys, which returns whether it took one. `isGrid`: items stand
     * in rows, so that up and down go a row.
     */
    ds.listbox = function(list, does, isGrid) {
        let at = 0, anchor = 0;

        const items = () => Array.from(list.children);
        const current = () => items()[at];
        const indexOf = node => items().findIndex(item => item.contains(node));

        function aim(index, focus) {
            const all = items();
            at = Math.max(0, Math.min(all.length - 1, index));
            for (const [number, item] of all.entries()) item.tabIndex = number === at ? 0 : -1;
            if (!focus || !all.length) return;
            all[at].focus({preventScroll: true});
            all[at].scrollIntoView({block: "nearest"});
        }

        function columns() {
            const all = items();
            if (!isGrid || all.length < 2) return 1;
            const next = all.findIndex(item => item.offsetTop > all[0].offsetTop);
            return next < 0 ? all.length : next;
        }

        function target(key) {
            const row = columns(), page = Math.max(row, row * Math.floor(list.clientHeight / Math.max(1, current().offsetHeight)));
            const places = {ArrowDown: at + row, ArrowUp: at - row, Home: 0, End: items().length - 1, PageDown: at + page, PageUp: at - page};
            if (isGrid) Object.assign(places, {ArrowRight: at + 1, ArrowLeft: at - 1});
            return places[key];
        }

        /** The items from the one that was last chosen without Shift to this one. */
        function range(index) {
            return items().slice(Math.min(anchor, index), Math.max(anchor, index) + 1);
        }

        list.addEventListener("keydown", event => {
            const item = current();
            if (!item || !item.contains(event.target)) return;
            if (does.key && does.key(item, event)) {
                event.preventDefault();
                return;
            }
            const to = event.altKey || event.ctrlKey || event.metaKey ? undefined : target(event.key);
            if (to !== undefined) {
                aim(to, true);
                if (event.shiftKey && does.range) does.range(range(at));
                else if (!event.shiftKey) anchor = at;
            } else if (event.key === " ") {
                if (event.shiftKey && does.range) does.range(range(at));
                else {
                    anchor = at;
                    does.space(item, event);
                }
            } else if (event.key === "Enter") does.enter(item, event);
            else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a" && does.all) does.all();
            else return;
            event.preventDefault();
        });

        list.addEventListener("click", event => {
            const index = indexOf(event.target);
            if (index < 0 || event.target.closest("button")) return;
            aim(index, true);
            if (event.shiftKey && does.range) {
                does.range(range(index));
                return;
            }
            anchor = index;
            does.click(items()[index], event);
        });
        list.addEventListener("mousedown", event => event.shiftKey && event.preventDefault()); // no text is marked

        /** Shows other items; the focus stays on what had it, or goes to what stands in its place. */
        function redraw(made) {
            const hadFocus = list.contains(document.activeElement), known = current() ? current().dataset.key : null;
            const scrolled = list.scrollTop;
            list.replaceChildren(...made);
            list.scrollTop = scrolled;
            const same = made.findIndex(item => item.dataset.key === known);
            aim(same >= 0 ? same : at, hadFocus);
            anchor = Math.min(anchor, Math.max(0, made.length - 1));
            if (!hadFocus || made.length) return;
            list.tabIndex = -1;
            list.focus({preventScroll: true});
        }

        return {redraw, items, current, focus: key => aim(key === undefined ? at : Math.max(0, items().findIndex(item => item.dataset.key === key)), true)};
    };
})(train_gamma_dataset);
