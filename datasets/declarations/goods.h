/* goods.h -- what the invented declarations carry: chapters of the Harmonized System with words for goods lines. */
#ifndef DIPPER_DATASETS_GOODS_H
#define DIPPER_DATASETS_GOODS_H

/* Sources: chapter numbers and their subjects are those of the Harmonized System; headings below them are invented. */
typedef struct GoodsChapter {
    const char *chapter;  /* "09" */
    const char *words[4]; /* what a broker writes: two in English, two in Chinese */
    double price;         /* log of the usual price a kilogram, TWD */
    double duty;          /* usual rate of duty, percent */
} GoodsChapter;

static const GoodsChapter goods_chapters[] = {
    {"02", {"FROZEN BEEF CUTS", "PORK BELLY, BONELESS", "冷凍牛肉", "去骨豬腹肉"}, 5.3, 12.5},
    {"03", {"FROZEN SHRIMP", "SALMON FILLETS", "冷凍蝦", "鮭魚片"}, 5.6, 15},
    {"04", {"MILK POWDER", "CHEDDAR CHEESE", "奶粉", "乾酪"}, 5.0, 10},
    {"07", {"DRIED MUSHROOMS", "GARLIC, FRESH", "乾香菇", "蒜頭"}, 4.4, 20},
    {"08", {"FRESH APPLES", "CASHEW NUTS, SHELLED", "鮮蘋果", "腰果"}, 4.2, 20},
    {"09", {"COFFEE, NOT ROASTED", "GREEN TEA", "咖啡豆", "綠茶"}, 5.2, 17},
    {"12", {"SOYA BEANS", "GINSENG ROOTS", "黃豆", "人參"}, 3.6, 5},
    {"16", {"PREPARED EEL", "CANNED TUNA", "調製鰻魚", "鮪魚罐頭"}, 5.4, 20},
    {"19", {"BISCUITS", "NOODLES, INSTANT", "餅乾", "速食麵"}, 4.7, 15},
    {"21", {"FOOD SUPPLEMENT, CAPSULES", "SAUCES", "膠囊食品", "調味醬"}, 6.0, 20},
    {"22", {"RED WINE, BOTTLED", "WHISKY", "紅葡萄酒", "威士忌"}, 5.6, 20},
    {"24", {"CIGARETTES", "CIGARS", "紙菸", "雪茄"}, 7.2, 27},
    {"30", {"MEDICAMENTS IN DOSES", "VACCINES", "藥品", "疫苗"}, 8.1, 2.5},
    {"33", {"PERFUME", "SKIN CARE CREAM", "香水", "護膚霜"}, 7.4, 5},
    {"39", {"PLASTIC SHEETS", "PE GRANULES", "塑膠板", "聚乙烯粒"}, 4.2, 5},
    {"40", {"TYRES FOR CARS", "RUBBER GLOVES", "汽車輪胎", "橡膠手套"}, 4.6, 10},
    {"42", {"LEATHER HANDBAGS", "TRAVEL BAGS", "皮包", "旅行袋"}, 7.6, 6.6},
    {"44", {"SAWN WOOD, OAK", "PLYWOOD", "橡木板材", "合板"}, 3.3, 5},
    {"48", {"KRAFT PAPER", "TISSUE PAPER", "牛皮紙", "衛生紙"}, 3.6, 0},
    {"52", {"COTTON FABRIC", "COTTON YARN", "棉布", "棉紗"}, 5.1, 7.5},
    {"61", {"T-SHIRTS, KNITTED", "SOCKS", "針織T恤", "襪子"}, 6.5, 12},
    {"62", {"MEN'S JACKETS", "DRESSES", "男用夾克", "洋裝"}, 6.9, 12},
    {"64", {"SPORTS SHOES", "LEATHER BOOTS", "運動鞋", "皮靴"}, 6.6, 7.5},
    {"69", {"CERAMIC TILES", "PORCELAIN TABLEWARE", "磁磚", "瓷餐具"}, 3.4, 10},
    {"71", {"GOLD JEWELLERY", "SILVER RINGS", "黃金飾品", "銀戒指"}, 10.2, 0},
    {"73", {"STEEL PIPE 5\" X 3 M", "BOLTS AND NUTS", "鋼管", "螺栓螺帽"}, 4.1, 5},
    {"76", {"ALUMINIUM FOIL", "ALUMINIUM PROFILES", "鋁箔", "鋁擠型"}, 4.9, 5},
    {"82", {"HAND TOOLS", "KITCHEN KNIVES", "手工具", "菜刀"}, 5.7, 5},
    {"84", {"LAPTOP COMPUTERS", "CENTRIFUGAL PUMPS", "筆記型電腦", "離心泵"}, 7.4, 2.5},
    {"85", {"LITHIUM BATTERIES", "MOBILE PHONES", "鋰電池", "行動電話"}, 8.2, 2.5},
    {"87", {"CAR PARTS", "BICYCLES", "汽車零件", "自行車"}, 5.8, 17.5},
    {"90", {"CONTACT LENSES", "MEDICAL SYRINGES", "隱形眼鏡", "注射器"}, 7.9, 2.5},
    {"91", {"WRIST WATCHES", "WATCH PARTS", "手錶", "手錶零件"}, 9.1, 5},
    {"94", {"WOODEN FURNITURE", "LED LAMPS", "木製家具", "LED燈具"}, 5.0, 5},
    {"95", {"TOYS, PLASTIC", "VIDEO GAME CONSOLES", "塑膠玩具", "電視遊戲機"}, 5.9, 0},
    {"96", {"BALL POINT PENS", "ZIPPERS", "原子筆", "拉鍊"}, 5.5, 7.5},
};
enum { GOODS_CHAPTERS = sizeof goods_chapters / sizeof *goods_chapters };

static const char *const goods_origins[] = {
    "CN", "JP", "US", "KR", "VN", "TH", "DE", "MY", "ID", "IT", "FR", "IN", "PH", "AU", "GB", "NL", "HK",
    "SG", "ES", "CH", "NZ", "CA", "BR", "MX", "TR", "PL", "BD", "PK", "KH", "MM", "AT", "SE", "DK", "CZ",
    "CL", "AR", "PY", "PE", "ZA", "EG", "AE", "IL", "PT", "GR", "HU", "RO", "FI", "NO", "IE", "LK"};
enum { GOODS_ORIGINS = sizeof goods_origins / sizeof *goods_origins };

#endif
