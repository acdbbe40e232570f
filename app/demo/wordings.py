"""What people write in the demo's chats: customers, agents, comments in surveys."""

from __future__ import annotations

from collections.abc import Mapping

Lines = Mapping[str, tuple[str, ...]]

# The product with trouble: what customers write about it ...
TROUBLE_QUESTIONS: Lines = {
    "en": (
        "My Aster glass teapot arrived with a crack in the spout",
        "The glass teapot was broken when I opened the box",
        "The Aster teapot cracked the first time I poured hot water in",
        "Half of the teapot is in splinters, the box was hardly padded",
        "The handle of the glass teapot came off",
        "teapot arrived in pieces",
    ),
    "zh": (
        "Aster 玻璃茶壶收到时壶嘴就裂了",
        "打开包装，茶壶已经碎了",
        "玻璃茶壶第一次倒热水就裂开了",
        "茶壶的把手掉了下来",
        "包装太薄，茶壶碎成几块",
    ),
}
# ... when asked again ...
TROUBLE_DETAILS: Lines = {
    "en": (
        "It's the 1.2 l one. There is glass in the whole parcel, I won't touch that.",
        "I need a new one before the weekend, it was a present.",
        "This is the second one that arrives broken.",
    ),
    "zh": (
        "是 1.2 升的那款，盒子里全是碎玻璃。",
        "这是送人的礼物，周末前要用。",
        "这已经是第二只坏的了。",
    ),
}
# ... and with their scores.
TROUBLE_COMMENTS: Lines = {
    "en": (
        "Second broken teapot in a row. Please pack it properly.",
        "The glass is far too thin, it cracked with hot water. For a teapot!",
        "Nice people, but the teapot arrived in pieces.",
        "There was no padding at all around the teapot.",
        "I had to wait for a replacement that was broken as well.",
    ),
    "zh": (
        "茶壶又碎了，包装太差。",
        "玻璃太薄，一倒热水就裂。",
        "换来的第二只还是坏的，很失望。",
        "客服态度好，但茶壶质量不行。",
    ),
}
LOW_COMMENTS: Lines = {
    "en": (
        "It took too long until somebody answered.",
        "I still don't have my money back.",
        "The answer didn't fit my question.",
        "I had to explain everything twice.",
        "Parcel was a week late and nobody told me.",
    ),
    "zh": (
        "等了很久才有人回复。",
        "退款一直没到账。",
        "回答不是我想问的。",
        "同样的问题说了两遍。",
    ),
}
HIGH_COMMENTS: Lines = {
    "en": (
        "Quick and friendly.",
        "Solved in two minutes, thank you!",
        "Great tea, great service.",
        "The bot knew the answer right away.",
        "Very helpful colleague.",
    ),
    "zh": (
        "回复很快，态度很好。",
        "问题马上就解决了，谢谢！",
        "客服很耐心。",
        "智能助手一下就答对了。",
    ),
}
# When the bot's answer did not help.
DETAILS: Lines = {
    "en": (
        "That's not what I meant. It's about my last order.",
        "I read that already, it doesn't help in my case.",
        "No, I'd like somebody to look at it please.",
    ),
    "zh": (
        "不是这个意思，是关于我上一个订单的。",
        "这个我看过了，对我没用。",
        "麻烦帮我具体看一下。",
    ),
}
# What agents write: first about the matter, then to the end.
OPENINGS: Mapping[str, Lines] = {
    "damaged-item": {
        "en": (
            "I'm very sorry about this. Could you send a photo of it and the box?",
            "I'm sorry, that is annoying. Shall I send a new one or refund it?",
        ),
        "zh": (
            "非常抱歉商品破损了，方便发一张商品和包装的照片吗？",
            "很抱歉，给您补发一只，还是直接退款？",
        ),
    },
    "late-delivery": {
        "en": ("I've looked it up: your parcel is at the depot in your town.",),
        "zh": ("我帮您查一下，包裹昨天已经到您所在城市的网点了。",),
    },
    "refund-not-received": {
        "en": ("The refund left us on Monday, your bank should book it in two days.",),
        "zh": ("查到了，退款周一已经发出，银行一般两天内到账。",),
    },
    "how-to-return": {
        "en": ("The return is free for you. I've just mailed you the label.",),
        "zh": ("退货运费由我们承担，退货单已经发到您的邮箱了。",),
    },
}
OPENINGS_ELSE: Lines = {
    "en": (
        "Hello, I've read what you wrote. Give me a moment to look at your order.",
        "Thank you for waiting. I see your order here, let me check.",
    ),
    "zh": (
        "您好，您写的内容我看到了，我先查一下您的订单。",
        "让您久等了，我看到您的订单了，稍等我核实一下。",
    ),
}
CLOSINGS: Lines = {
    "en": (
        "I've arranged it. You'll get an e-mail within the hour. Anything else?",
        "Done. It will be with you in two to three days.",
        "I've noted it in your order, you don't have to do anything more.",
    ),
    "zh": (
        "已经为您安排好了，一小时内会收到邮件。还有别的问题吗？",
        "处理好了，两三天内送到。",
        "已经备注在订单里，您不用再操作了。",
    ),
}
ANSWERS: Lines = {
    "en": (
        "Yes, of course",
        "A new one please",
        "Thank you, that would be great",
        "Just a moment",
        "OK, and when?",
    ),
    "zh": ("好的", "补发一只吧", "谢谢，麻烦了", "稍等一下", "好，大概什么时候？"),
}
THANKS: Lines = {
    "en": ("Thank you!", "thanks a lot", "Great, thanks"),
    "zh": ("谢谢！", "好的，谢谢", "太好了，谢谢"),
}
STILL_HERE: Lines = {
    "en": ("Yes, the order from last week", "I can send a photo"),
    "zh": ("对，是上周的订单", "我可以发照片"),
}
