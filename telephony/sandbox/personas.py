"""The people who answer: how they greet, doubt, ask, agree and leave."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Persona:
    """seconds_per_word is the pace of speech; pause_seconds how long before they answer."""

    name: str
    seconds_per_word: float
    pause_seconds: float
    greetings: tuple[str, ...]
    replies: tuple[str, ...]
    questions: tuple[str, ...]
    agreements: tuple[str, ...]
    refusals: tuple[str, ...]


PERSONAS = (
    Persona(
        "friendly",
        0.34,
        0.6,
        ("Hello, this is {name}.", "Hi there!", "Good morning, {name} speaking."),
        (
            "Oh, sure, go ahead.",
            "That sounds nice, actually.",
            "Right, I was wondering about that the other day.",
            "Yes, that's correct.",
            "Okay, that makes sense to me.",
            "Mm-hmm, I follow.",
        ),
        ("And how does that work exactly?", "How long would that take?", "Is that for everyone?"),
        ("Yes, let's do that.", "That works for me, thank you.", "Perfect, please go ahead."),
        ("I'll have to think about it, but thanks.", "Not right now, but it's kind of you to ask."),
    ),
    Persona(
        "busy",
        0.27,
        0.4,
        ("Yeah, hello?", "Hello, make it quick please.", "This is {name}, I'm in the car."),
        (
            "Okay, quickly please.",
            "Yeah.",
            "Fine, what else?",
            "I've got about a minute.",
            "Sure, but I'm about to walk into a meeting.",
            "Right. And?",
        ),
        ("What do you need from me?", "Can you send that by email?", "Is this going to take long?"),
        ("Fine, do it.", "Okay, book it, I have to run.", "Yes, that's good, send me the details."),
        ("I really don't have time for this.", "Not now. Bye.", "No, sorry, I have to go."),
    ),
    Persona(
        "sceptical",
        0.36,
        0.9,
        ("Who is this?", "Hello? Who's calling?", "Yes? What is this about?"),
        (
            "How did you get my number?",
            "Hmm. I've heard that before.",
            "I'm not sure I believe that.",
            "Okay, and what's the catch?",
            "Well, maybe.",
            "Are you a real person or a computer?",
        ),
        ("What does it cost me?", "Why should I trust you?", "Can I cancel that later?"),
        (
            "Alright, if I can cancel, then yes.",
            "Fine, let's try it.",
            "Okay, you've convinced me.",
        ),
        ("No, I don't think so.", "I'm going to pass.", "I don't do business over the phone."),
    ),
    Persona(
        "chatty",
        0.3,
        0.5,
        ("Hello hello!", "Hi, {name} here, how are you?", "Oh, hello, I was just thinking!"),
        (
            "Funny you should call, my sister was talking about that on Sunday.",
            "Oh yes, we had something similar at the old house, that was years ago now.",
            "Well, you know how it is these days with everything going on.",
            "Right, right, I see what you mean, absolutely.",
            "Sorry, that's the dog in the background. Go on.",
            "Oh, I love that, tell me more.",
        ),
        (
            "Do you do that for families as well, because there are five of us?",
            "Where are you calling from, if you don't mind me asking?",
            "And would that be before or after the holidays, do you think?",
        ),
        ("Oh, wonderful, yes, let's do that.", "You know what, why not, sign me up."),
        ("I'd love to, but I'd better ask my husband first.", "Maybe next year, dear."),
    ),
    Persona(
        "hesitant",
        0.4,
        1.1,
        ("Um, hello?", "Yes... hello?", "Hello, uh, speaking."),
        (
            "Um, I think so, yes.",
            "I'm not sure, let me think.",
            "Uh, okay.",
            "Could you say that again, please?",
            "Hmm, yes, I suppose.",
            "I'd have to check that.",
        ),
        ("Do I have to decide now?", "Sorry, what was that last part?", "And if I change my mind?"),
        ("Okay... yes, that would be fine.", "I guess so. Yes.", "Um, alright then."),
        ("I don't know, maybe call another time.", "I think I'd rather not."),
    ),
    Persona(
        "direct",
        0.29,
        0.4,
        ("{name}.", "Speaking.", "Yes, this is {name}."),
        (
            "Correct.",
            "Understood.",
            "That's fine.",
            "Go on.",
            "I already know that part.",
            "Let's get to the point.",
        ),
        ("What are the terms?", "When can it start?", "What do you recommend?"),
        ("Yes. Do that.", "Agreed. Send the confirmation.", "Good, that's settled then."),
        ("No, thank you.", "Not interested.", "That isn't for us."),
    ),
)

TOPIC = "<topic>"
FOLLOW_UPS = (
    "Is there anything about <topic> that you'd like to know first?",
    "How are you dealing with that at the moment?",
    "I see. And how important is that for you, on a scale from one to ten?",
    "That is a good point, let me make a note of it.",
    "Many people tell us the same, so you are not alone there.",
    "Would mornings or afternoons suit you better?",
    "Is there somebody else who should be part of this?",
    "I can have all of that sent to you in writing, so that you can read it in peace.",
    "And apart from that, is everything working for you?",
    "Just so that I understand you right: it's mostly about <topic>, isn't it?",
    "When would be a good time for you to begin?",
    "There is no rush at all, I only want to be sure that you have what you need.",
    "May I ask what made you interested in <topic> in the first place?",
    "Thank you for being so open about that.",
)
QUICK_GOODBYES = (
    "Sorry, I'm not interested.",
    "No thanks, bye.",
    "You have the wrong number.",
    "I can't talk right now.",
    "Not again. Goodbye.",
)
OPT_OUTS = (
    "Please take me off your list and don't call me again.",
    "Stop calling this number. Remove me from your list.",
    "I don't want any more calls from you, please delete my number.",
)
CALLBACK_TIMES = ("tomorrow at ten", "on Thursday afternoon", "after five today", "next Monday")
VOICEMAIL_GREETINGS = (
    "Hi, you have reached {name}, please leave a message after the tone.",
    "Hello, I can't come to the phone right now. Leave your name and number.",
    "The person you are calling is not available. Please record your message after the tone.",
)
IVR_MENUS = (
    "Thank you for calling. For sales, press one. For support, press two. For all else, hold.",
    "Welcome. Please listen carefully, as our menu has changed. For English, press one.",
)
LAST_WORDS = ("Okay, bye.", "Thanks, bye.", "Alright, have a good one.", "Goodbye.")
