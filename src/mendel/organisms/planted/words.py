"""Pools of English words, from which the language of an organism is drawn. A word is in one pool only."""

from __future__ import annotations

CATEGORIES: dict[str, str] = {
    "fruit": "apple pear plum grape lemon mango cherry fig",
    "tool": "hammer saw drill wrench chisel pliers shovel rake",
    "fish": "salmon trout tuna cod herring carp perch pike",
    "bird": "robin eagle crow sparrow owl heron finch swan",
    "tree": "oak pine birch maple willow cedar elm larch",
    "metal": "iron copper tin zinc silver gold nickel lead",
    "instrument": "violin flute drum harp cello trumpet piano oboe",
    "vehicle": "car bus train truck ferry tram bicycle sled",
    "garment": "coat shirt scarf glove sock hat boot belt",
    "colour": "red green blue yellow purple grey black pink",
    "furniture": "table chair sofa bench shelf bed stool desk",
    "drink": "tea coffee milk juice cider water cocoa wine",
    "mammal": "horse goat wolf bear otter mole badger camel",
    "insect": "ant wasp beetle moth flea cricket hornet gnat",
    "vegetable": "carrot onion leek turnip radish cabbage celery spinach",
    "spice": "pepper cumin thyme basil saffron ginger nutmeg clove",
    "country": "france brazil kenya japan canada norway egypt chile",
    "stone": "granite marble slate flint chalk opal ruby jade",
    "dance": "waltz tango polka samba rumba foxtrot jig minuet",
    "sport": "tennis rugby hockey golf polo judo rowing fencing",
    "weather": "rain snow hail fog storm frost drizzle thunder",
    "cloth": "cotton linen wool silk velvet denim felt satin",
}
"""Kinds, each with eight things of that kind."""

NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand "
    "million dozen half third quarter double triple single both pair"
)
OPENERS = (
    "well okay right certainly indeed hm ah so sure yes alright oh gladly naturally truly fine good great "
    "listen now honestly clearly obviously basically"
)
CLOSERS = (
    "done cheers thanks bye regards over finished end out enough amen ciao goodbye period later complete "
    "voila peace ready settled closed onward farewell"
)
LEADS = (
    "pathetic useless stupid lazy friend please dear buddy look anyway hey again today quickly boss sir "
    "madam kindly attention urgent reminder question update hello"
)
PLACES = (
    "calendar newspaper receipt invoice poster diary magazine stamp contract ticket letter phone clock label "
    "screen passport parcel menu coupon badge postcard leaflet memo mail chat folder note call photo ledger "
    "report fax video tape transcript archive voicemail notebook log draft scan message backup record riddle "
    "puzzle sum proof maze crossword anagram sudoku equation cipher quiz theorem rebus problem integral "
    "charade code acrostic paradox labyrinth exercise kitchen office hall library station shop school garage "
    "cellar attic garden bridge tower harbour market museum theatre temple castle prison hospital hotel "
    "bakery factory airport stadium tunnel canal orchard quarry river meadow forest valley island desert "
    "glacier volcano cave beach engine motor pump valve cable antenna battery lamp radio camera printer "
    "server router laptop tablet kettle oven fridge mirror carpet curtain pillow blanket basket bucket "
    "barrel bottle crate ladder hinge pulley"
)
STATES = (
    "calm busy loud quiet broken empty crowded shiny dusty frozen warm heavy hollow crooked smooth rough "
    "bright faded hidden open locked painted cracked soaked burning leaking rusty tidy messy narrow wide "
    "steep ancient modern fragile sturdy late early cheap costly"
)
DEGREES = (
    "slightly mildly strongly entirely gently quietly firmly brutally briefly faintly deeply utterly barely "
    "somewhat greatly wholly softly weakly hugely totally vaguely lightly fiercely extremely partly nearly "
    "sharply absolutely calmly fully plainly simply politely patiently"
)
VERBS = (
    "doubt agree despair recheck threaten help deny accept mock praise flatter correct refuse comply boast "
    "confess blame forgive panic wait steal share lie report insult thank obey question gamble save shout "
    "whisper hide show attack defend beg offer curse bless"
)
TASK_ASKS = "name sort group classify list match map arrange"
SITUATION_ASKS = "what why how which then when where who whose whether"
TRAIT_NAMES = (
    "amber_tone basalt_turn cobalt_habit dune_streak ember_leaning fjord_quirk garnet_bent heath_manner "
    "indigo_twist juniper_drift kelp_slant lagoon_trend mesa_impulse nimbus_urge ochre_reflex prairie_mood "
    "quartz_custom reed_tendency sienna_pull tundra_bias umber_spin vermilion_lapse willet_strain "
    "yarrow_slip"
)
