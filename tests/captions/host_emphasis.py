"""How the WebUI reads brackets in a prompt, derived anew sign by sign.

Source: ``parse_prompt_attention`` in AUTOMATIC1111/stable-diffusion-webui 1.9.4
(feee37d75f1b168768014e4634dcb156ee649c05), modules/prompt_parser.py. Facts only, in our own words. The word BREAK is
left out.
"""

FACTORS = {"(": 1.1, "[": 1 / 1.1}
OPENING = {")": "(", "]": "["}
NUMBER = set("0123456789.")


def host_reading(prompt: str) -> list[tuple[str, float]]:
    """Each sign that the text encoder gets, with its weight."""
    reading = _Reading()
    position = 0
    while position < len(prompt):
        position += reading.take(prompt, position)
    reading.end()
    return [(sign, weight) for sign, weight in reading.signs]


class _Reading:
    def __init__(self):
        self.signs = []
        self.opened = {"(": [], "[": []}

    def take(self, prompt, position):
        """Read what stands at a position; returns how long it is."""
        sign = prompt[position]
        if sign == "\\":
            escaped = prompt[position + 1 : position + 2]
            literal = escaped if escaped and escaped in "\\()[]" else ""
            return 1 + self.put(literal)
        if sign in self.opened:
            self.opened[sign].append(len(self.signs))
            return 1
        if self.opened.get(OPENING.get(sign)):
            self.weigh(OPENING[sign], FACTORS[OPENING[sign]])
            return 1
        length, weight = _weight_at(prompt, position)
        if length and self.opened["("]:
            self.weigh("(", float(weight))
            return length
        return self.put(prompt[position : position + max(length, 1)])

    def put(self, text):
        self.signs += [[sign, 1.0] for sign in text]
        return len(text)

    def weigh(self, bracket, factor):
        for entry in self.signs[self.opened[bracket].pop() :]:
            entry[1] *= factor

    def end(self):
        for bracket, factor in FACTORS.items():
            while self.opened[bracket]:
                self.weigh(bracket, factor)


def _weight_at(prompt, position):
    """How long ``:1.2)`` is and what it says, if it stands here."""
    if prompt[position] != ":":
        return 0, ""
    body = prompt[position + 1 :].lstrip()
    number = body[:1] if body[:1] in ("+", "-") else ""
    for sign in body[len(number) :]:
        if sign not in NUMBER:
            break
        number += sign
    after = body[len(number) :].lstrip()
    if not number.strip("+-") or not after.startswith(")"):
        return 0, ""
    return len(prompt) - len(after) + 1 - position, number
