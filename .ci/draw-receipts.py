"""Draws receipts with known values, as pictures of good and of poor quality.

    draw-receipts.py DIRECTORY

Each picture is named after what it is like, and DIRECTORY/expected.json says what each one says.
"""

import datetime
import json
import pathlib
import random
import sys

from PIL import Image, ImageDraw, ImageFilter, ImageFont

SHOPS = ["CORNER SHOP", "THE BAKERY", "GREEN MARKET", "OLD TOWN BOOKS", "CITY HARDWARE"]
ITEMS = ["Milk", "Dark bread", "Butter", "Apples", "Tea", "Olive oil", "Rice", "Coffee", "Soap",
         "Candles", "Notebook", "Batteries"]
FONTS = {
    "sans": "dejavu/DejaVuSans.ttf",
    "mono": "dejavu/DejaVuSansMono.ttf",
    "liberation": "liberation/LiberationSans-Regular.ttf",
    "narrow": "liberation/LiberationMono-Regular.ttf",
    "serif": "freefont/FreeSerif.ttf",
}
QUALITIES = ["straight", "turned", "noisy"]
FORMATS = ["png", "jpg", "webp", "pdf"]
SIZE = 30


def content(chance):
    """A receipt, and its rows as they are printed."""
    lines = [[item, chance.randrange(50, 3000)] for item in
             chance.sample(ITEMS, chance.randrange(2, 9))]
    total = sum(price for _, price in lines)
    date = datetime.date.today() - datetime.timedelta(days=chance.randrange(1, 60))
    money = lambda cents: f"{cents // 100}.{cents % 100:02}"
    shop = chance.choice(SHOPS)
    printed = date.strftime(chance.choice(["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y"]))
    rows = [(shop, ""), ("12 High Street", ""), (f"Date {printed}", ""), ("", "")]
    rows += [(item, money(price)) for item, price in lines]
    rows += [("", ""), ("TOTAL", money(total)), ("", ""), ("Thank you, and see you soon", "")]
    expected = {"merchant": shop, "date": date.isoformat(), "total": money(total),
                "lines": [{"item": item, "price": money(price)} for item, price in lines]}
    return rows, expected


def draw(rows, font, quality, chance):
    height = 2 * SIZE * len(rows) + 160
    picture = Image.new("L", (760, height), 255)
    pen = ImageDraw.Draw(picture)
    for number, (left, right) in enumerate(rows):
        y = 80 + 2 * SIZE * number
        pen.text((60, y), left, font=font, fill=20)
        pen.text((700 - pen.textlength(right, font=font), y), right, font=font, fill=20)
    if quality != "straight":
        angle = chance.choice([-2, 2])
        picture = picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    if quality == "noisy":
        noise = Image.effect_noise(picture.size, 60)
        picture = Image.blend(picture, noise, 0.25).filter(ImageFilter.GaussianBlur(0.8))
    return picture


def main():
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    chance = random.Random(1)
    expected = {}
    for number, (name, file) in enumerate(sorted(FONTS.items())):
        font = ImageFont.truetype(f"/usr/share/fonts/truetype/{file}", SIZE)
        for quality in QUALITIES:
            for copy in range(2):
                rows, receipt = content(chance)
                kind = FORMATS[(number + copy + QUALITIES.index(quality)) % len(FORMATS)]
                path = directory / f"{quality}-{name}-{copy}.{kind}"
                draw(rows, font, quality, chance).save(path, resolution=200)
                expected[path.name] = receipt
    (directory / "expected.json").write_text(json.dumps(expected, indent=1))


main()
