"""Makes text of a wanted number of tokens out of common words; the same text for the same seed everywhere.

A common English word in lower case with the blank before it is one token in the tokenizers of today's models,
so n words are about n tokens; with a tokenizer at hand the words are checked and the number is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from random import Random

from harpoon_cli.values import Struct

_WORDS = (
    "about above across act add after again age ago air all alone along also always am among an and animal "
    "answer any area arm around art as ask at away back bad ball bank base be bear beat bed before behind "
    "below best better between big bird black blood blue board boat body book both bottom box boy bread "
    "break brother brown build building built business but buy by call came camp can car card care carry "
    "case cat catch cause cell center chair chance change check child choose circle city class clean clear "
    "close cloud cold color come common company complete contain control cook cool copy corn corner correct "
    "cost could count country course cover cross cry cut dance dark daughter day dead deal death decide "
    "deep design did difference different direct do doctor does dog dollar done door down draw dream drink "
    "drive drop dry during each ear early earth east easy eat edge effect egg eight either else end energy "
    "engine enough enter equal even ever every exact example experience eye face fact fall family far farm "
    "fast father favor feel feet few field fight figure fill final find fine finger finish fire first fish "
    "five flat floor flow flower fly follow food foot for force forest forget form forward found four free "
    "fresh friend from front fruit full fun game gas general get girl give glass go gold gone good got "
    "grand grass gray great green ground group grow guess guide gun had hair half hand happy hard has hat "
    "have he head heart heat heavy held help her here high hill him his history hit hold hole home hope "
    "horse hot hour house how human hundred hunt ice idea if in inch increase industry instrument interest "
    "iron island it job join joy jump just keep kept key kill kind king know lake land language large last "
    "late laugh law lay lead learn least leave led left leg length less let letter level lie life lift "
    "light like line list listen little live local long look lost lot love low machine made main major make "
    "man many map mark market mass master match material matter may me mean measure meet men metal method "
    "middle might mile milk million mind mine minute miss modern moment money month moon more morning most "
    "mother motion mountain mouth move much music must my name nation natural nature near necessary neck "
    "need never new next night nine no noise noon nor north nose note nothing notice now number object "
    "observe ocean of off offer office often oil old on once one only open or order other our out over own "
    "page paint pair paper parent part party pass past path pattern pay people period person phrase pick "
    "picture piece place plain plan plane planet plant play please point poor position possible post pound "
    "power practice prepare present press pretty print problem process produce product property provide "
    "pull push put quick quiet quite race radio rain raise ran range rather reach read ready real reason "
    "receive record red region remember repeat reply report rest result return rich ride right ring rise "
    "river road rock roll room root rose round row rule run safe said salt same sand sat save saw say scale "
    "school science score sea search season seat second section see seed select self sell send sense sent "
    "sentence separate serve set seven several shape share sharp she sheet ship shoe shop short should show "
    "side sign silent silver similar simple since sing single sister sit six size skill skin sky sleep slip "
    "slow small snow so soft soil solution solve some son song soon sound south space speak special speech "
    "speed spell spend spot spread spring square stand star start state station stay steam steel step stick "
    "still stone stood stop store story straight stream street strong student study subject such suggest "
    "suit summer sun supply support sure surface system table tail take talk tall team tell ten term test "
    "than thank that the their them then there these they thick thin thing think third this those though "
    "thought thousand three through throw thus tie time tiny to together told tone too took tool top total "
    "touch town track trade train travel tree triangle trip truck true try tube turn twenty two type under "
    "unit until up us use usual value vary very view village visit voice vote wait walk wall want war warm "
    "was wash watch water wave way we wear weather week weight well went were west what wheel when where "
    "which while white who whole whose why wide wife wild will win wind window winter wire wish with woman "
    "wood word work world would write wrong year yellow yes yet you young your "
)

POOL_WORDS = 16_384
LEAST_VOCABULARY = 64


class Filler(Struct, frozen=True):
    """Text to cut from: a pool of random words, twice over, and where each word begins.

    exact: every word is one token.
    """

    words: Sequence[str]
    pool: str
    starts: Sequence[int]
    exact: bool

    def text(self, tokens: int, number: int, share: float) -> str:
        """About `tokens` tokens of text, at least one.

        It opens with words that are those of `number` only, so that texts of different numbers share no
        beginning; the rest is cut out of the pool where `share` (0…1) of it is past. A text of fewer tokens
        but the same number and share is the beginning of this one.
        """
        opening = self._opening(number)
        wanted = tokens - len(opening)
        if wanted <= 0:
            return " ".join(opening[: max(tokens, 1)])
        rounds, rest = divmod(wanted, POOL_WORDS)
        first = int(share * POOL_WORDS)
        begin = self.starts[first]
        around = self.pool[begin : self.starts[first + POOL_WORDS]] * rounds if rounds else ""
        return " ".join(opening) + around + self.pool[begin : self.starts[first + rest]]

    def _opening(self, number: int) -> tuple[str, str, str, str]:
        # The digit that changes fastest comes first, so that neighbours differ from their first word on; each
        # place has an alphabet turned by one more, so that small numbers do not repeat a word.
        words, base = self.words, len(self.words)
        second = number // base
        third = second // base
        fourth = third // base
        return (
            words[number % base],
            words[second % base - 1],
            words[third % base - 2],
            words[fourth % base - 3],
        )


@lru_cache(maxsize=2)
def filler(seed: int, count: Callable[[str], int] | None = None) -> Filler:
    """The filler of a seed; with `count`, a tokenizer's, of words that are single tokens if it has enough."""
    words = _WORDS.split()
    if count is not None:
        words = _single(words, count)
    random = Random(f"{seed}/filler")  # noqa: S311 - a load, not a secret
    random.shuffle(words)
    pieces = [f" {word}" for word in random.choices(words, k=POOL_WORDS)] * 2
    pool = "".join(pieces)
    exact = count is not None and count(words[0] + pool) == len(pieces) + 1
    return Filler(words, pool, (0, *accumulate(map(len, pieces))), exact)


def _single(words: list[str], count: Callable[[str], int]) -> list[str]:
    found = [word for word in words if count(f"{word} {word}") == 2]
    return found if len(found) >= LEAST_VOCABULARY else words
