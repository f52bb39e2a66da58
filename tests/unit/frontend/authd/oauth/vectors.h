/* SPDX-License-Identifier: Apache-2.0 */
/* Made by PyJWT 2.6 and python3-cryptography: one key set, and a token by each algorithm. */
#pragma once
static const char vector_jwks[] =
	"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\",\"n\":\"6LWDOAtZhMSW3oyEXeTXu8ALUt3PT87tkkwV7zfamCc5Q34Kvd-6j"
	"OGMFoQZHm__CbNYP6yLaIFp9ap6rfJfl6_B5KDYleLIFgEdtkZ2VBLQpeaXVwfxXLacFbjpjd59-I2dSvCKzFdkffE"
	"835oB0cFaWYuHknJmMPYn4MZEg_dqKMx1g6PxQRsCt8mJx9PubunkywKTZ1CRgHTNkFjaztknFhN1LdG2a5668tM0N"
	"kyoushIEF_E8_LJAppStuGlXVeEmSzPXviKOQzDwre2uPx0tXkAet2JU6BluAbzJYdeRSkhloclpGQWu_UAjQLreA_"
	"Cgav_GhG5CInO5NT_vw\",\"e\":\"AQAB\",\"use\":\"sig\"},{\"kty\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\",\"x\":\"Ss88"
	"4Ad_KLpvIU9auHOXMqPLEy5N8ITuZaPqwMrPZf8\",\"y\":\"tQri_go2ZIq1IiINohGmCAT0KIEq61qDg8VfR77ziY8\""
	"},{\"kty\":\"EC\",\"kid\":\"e3\",\"crv\":\"P-384\",\"x\":\"m2Vv-410z9rijqninkEeixG_NLylsm5_7462i50jgq-U5O"
	"s7SCFvGemjnz3Y3ZRN\",\"y\":\"tBGruw9vTs6XZT-VjsySDPeXptbbGuRaZCWgSiGHadeCEUmQIPrkAFUEV6EAoZpC\""
	"},{\"kty\":\"OKP\",\"kid\":\"d\",\"crv\":\"Ed25519\",\"x\":\"IUQTPewWZpxH3zD23LhjwF_H38MeghuLsgu78rE74NI\""
	"},{\"kty\":\"RSA\",\"kid\":\"weak\",\"n\":\"qy66FU0FKEt7tp6uovcWlfpO-5PiFl22ggb3_UMAEHb_gzwxoB5VnNTiT"
	"KBVw8bKdhCnyUDAa9b0uJf798rqYDab7PfAiiJAImHZdzYeC0tqJBGd-01Fi20l6S6U9_H1A_KZrMV9iyvYoRuDXxX"
	"4Zp-nDE-OxfKK3Y8sjn9dPlk\",\"e\":\"AQAB\"},{\"kty\":\"oct\",\"kid\":\"o\",\"k\":\"AAAA\"},{\"kty\":\"RSA\",\"kid"
	"\":\"enc\",\"n\":\"6LWDOAtZhMSW3oyEXeTXu8ALUt3PT87tkkwV7zfamCc5Q34Kvd-6jOGMFoQZHm__CbNYP6yLaIFp9"
	"ap6rfJfl6_B5KDYleLIFgEdtkZ2VBLQpeaXVwfxXLacFbjpjd59-I2dSvCKzFdkffE835oB0cFaWYuHknJmMPYn4MZ"
	"Eg_dqKMx1g6PxQRsCt8mJx9PubunkywKTZ1CRgHTNkFjaztknFhN1LdG2a5668tM0NkyoushIEF_E8_LJAppStuGlX"
	"VeEmSzPXviKOQzDwre2uPx0tXkAet2JU6BluAbzJYdeRSkhloclpGQWu_UAjQLreA_Cgav_GhG5CInO5NT_vw\",\"e\""
	":\"AQAB\",\"use\":\"enc\"},{\"kty\":\"EC\",\"kid\":\"off\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAU\",\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAU\"},{\"kty\":\"RSA\",\"kid\":\""
	"hs\",\"n\":\"6LWDOAtZhMSW3oyEXeTXu8ALUt3PT87tkkwV7zfamCc5Q34Kvd-6jOGMFoQZHm__CbNYP6yLaIFp9ap6r"
	"fJfl6_B5KDYleLIFgEdtkZ2VBLQpeaXVwfxXLacFbjpjd59-I2dSvCKzFdkffE835oB0cFaWYuHknJmMPYn4MZEg_d"
	"qKMx1g6PxQRsCt8mJx9PubunkywKTZ1CRgHTNkFjaztknFhN1LdG2a5668tM0NkyoushIEF_E8_LJAppStuGlXVeEm"
	"SzPXviKOQzDwre2uPx0tXkAet2JU6BluAbzJYdeRSkhloclpGQWu_UAjQLreA_Cgav_GhG5CInO5NT_vw\",\"e\":\"AQ"
	"AB\",\"alg\":\"HS256\"}]}";
static const char vector_rs256[] =
	"eyJhbGciOiJSUzI1NiIsImtpZCI6InIiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJ"
	"hdWQiOiJpbWFwIiwiZXhwIjo0MTAyNDQ0ODAwLCJzdWIiOiJqb2UiLCJlbWFpbCI6IkpvZUBFeGFtcGxlLmNvbSIsI"
	"nNjb3BlIjoib3BlbmlkIGltYXAifQ.GSqyu641RT8I-Icae6Szpatt2EFuqNOAcirhp0fElkdGbTO_KFdSl-1GvMcK"
	"Zp_KGQBRp0WjBiUW4N3wyuiFiLzW720APmZO4ELa7es6h3mDhCHP4BDemXaEHYZOh-reIPjGAneey90ohzmYZnuHyO"
	"G_9RY0fgpgbeQxzVG1lr_tmj-XBbGI3-CqYWDbw7DiXJZCdISY1q1AfyTuGEoBRZMzp2A8vdQm-odRW5rHMdAnqmRJ"
	"iwrsUX88nj3wd2Y45PyZp9lA2eylF1WPJZ6uHdhgt-jfx4nDj-k3sxMUXjvNDMaFuKio-aRj3dnPJK3lc5ehu1LpOZ"
	"StHkWBr9MvPw";
static const char vector_rs384[] =
	"eyJhbGciOiJSUzM4NCIsImtpZCI6InIiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJ"
	"hdWQiOiJpbWFwIiwiZXhwIjo0MTAyNDQ0ODAwLCJzdWIiOiJqb2UiLCJlbWFpbCI6IkpvZUBFeGFtcGxlLmNvbSIsI"
	"nNjb3BlIjoib3BlbmlkIGltYXAifQ.nmYkCgd63_BIsjim7JQZ3lKHzYVQ0GoZ9c0hwI32QPjo1GeXCDwulZQIjkae"
	"HaHWnxfeiIpT5X0bgOY1wgQnF-k-asIVjlRlxTv1Zq23aNmsR-wIxQ47Qw6miDaUqfBbl6nRGmrQUxsk1KU4ogT9oZ"
	"r0srlw6V42DDdK_1jdJoB6lJeuCglEvNOUmOmDx2z3Kc-R4ARKl62Zf8Ekd0dXyO1fL0YEdrHzSIA2Fm9p3XKiSWry"
	"OGe8QPwJMNWqSFxElJgOgK4sWJmzkwZ-4JwJvCUioGrsVeH6sDrBl2OdzSexWdo8LxXCS6jQ8g2oQ1zsSguBSbNab-"
	"90y8q33JIqNQ";
static const char vector_rs512[] =
	"eyJhbGciOiJSUzUxMiIsImtpZCI6InIiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJ"
	"hdWQiOiJpbWFwIiwiZXhwIjo0MTAyNDQ0ODAwLCJzdWIiOiJqb2UiLCJlbWFpbCI6IkpvZUBFeGFtcGxlLmNvbSIsI"
	"nNjb3BlIjoib3BlbmlkIGltYXAifQ.E4oDGTZq-2cc_Czr0TaUcJmkh3gWCL0QXzE0IscxMrBe2zzySda7UzCdNsxm"
	"Q853Dt_8Zl-1exJZ8-XB3s0AEgEL-JMrJ8AHD7S49uIeVv-TM9v_Kg9tQpF7p5N4TR5gyNrBT4CHYd3loE5-KQshc5"
	"Ctxfg7lRk_UDmtvzuEWsi8q_DAkTftw6i5cs4gLqWfZqUjhrzvFjFqw6-nUhV-jWffqIRAgJcMIlEEC7L_7tbkqFT6"
	"-0mNfyZDx9SRBXRu9mPHTRoDTlBdR1RW6ir7fBwdhtkzlNH7uBD_dVfXCHJfN5rzBzoWje4a2uxnjn9BVMvs9PKdSC"
	"7_e0IDooIgoA";
static const char vector_ps256[] =
	"eyJhbGciOiJQUzI1NiIsImtpZCI6InIiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJ"
	"hdWQiOiJpbWFwIiwiZXhwIjo0MTAyNDQ0ODAwLCJzdWIiOiJqb2UiLCJlbWFpbCI6IkpvZUBFeGFtcGxlLmNvbSIsI"
	"nNjb3BlIjoib3BlbmlkIGltYXAifQ.CjSIiftOzCN3iMVNec9CKfTIGHG5l_zCvHhpPq10Yry2T5lC_JXqedvDtzYl"
	"mQwW7NEeFlWuZ6HL_SARgXPxse_PQs4XCi4VjLwqHfS49LKjAStUyfLg_APzfx08F5qJwIfiHd22vsJRcuewWrEYLh"
	"s3sQwcuzTrPKGVmcVug4EkN2C6ZIKacVu6XuAFOQCTNC9Ft1QTT70BRRaBxEYwCTPoTE2em3cyrzJjYixu5_-AfHj1"
	"pyXOUmWyq5zlpMDHu3b01z2GhZJdU4vTffeuJrhKp6tu8Si4WBs50GHx5himPasVfyLPp_8sF6pXdMMyEzDSnxzTYi"
	"2MowCSOCEK5w";
static const char vector_es256[] =
	"eyJhbGciOiJFUzI1NiIsImtpZCI6ImUiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJ"
	"hdWQiOiJpbWFwIiwiZXhwIjo0MTAyNDQ0ODAwLCJzdWIiOiJqb2UiLCJlbWFpbCI6IkpvZUBFeGFtcGxlLmNvbSIsI"
	"nNjb3BlIjoib3BlbmlkIGltYXAifQ.PQImyoKm10qYe59QnGQ5lw8mDyLE5sxRT0nTJxeQcEnsyCgWCDerocXYtftA"
	"a61bexLPr0ZrpC4CD3Yc1E60rg";
static const char vector_es384[] =
	"eyJhbGciOiJFUzM4NCIsImtpZCI6ImUzIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLC"
	"JhdWQiOiJpbWFwIiwiZXhwIjo0MTAyNDQ0ODAwLCJzdWIiOiJqb2UiLCJlbWFpbCI6IkpvZUBFeGFtcGxlLmNvbSIs"
	"InNjb3BlIjoib3BlbmlkIGltYXAifQ.5KaKSVaA_DgU10y0WVcdLYxasC2SMJW9XEwCwPlYDQwgZ2rVfXuLRKLFPeK"
	"w5eYBGnVqLjoj9AN9ynyQH6fG2zrE_2lACOyAJiVP8Kusjb84GQJTmnpdt3swTPPvDHyv";
static const char vector_eddsa[] =
	"eyJhbGciOiJFZERTQSIsImtpZCI6ImQiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJ"
	"hdWQiOiJpbWFwIiwiZXhwIjo0MTAyNDQ0ODAwLCJzdWIiOiJqb2UiLCJlbWFpbCI6IkpvZUBFeGFtcGxlLmNvbSIsI"
	"nNjb3BlIjoib3BlbmlkIGltYXAifQ.EToPpAWaFM6fmgHgNNl6TpMGwPk6354PSktlG_PyHuhaEP4ksDF3Va2uq5rD"
	"7tBjew1sD8-v1qMJoywKGVHrDQ";
static const char vector_no_kid[] =
	"eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJpbWFwI"
	"iwiZXhwIjo0MTAyNDQ0ODAwLCJzdWIiOiJqb2UiLCJlbWFpbCI6IkpvZUBFeGFtcGxlLmNvbSIsInNjb3BlIjoib3B"
	"lbmlkIGltYXAifQ._ijmqgx9IRCGsmmFVYAV0ppYyeW4uR5siuJbdTGUo0eNIWMH8NuP3dfIEkMkBGQrS_YYudmeuX"
	"g4NlF-JQWskA";
static const char vector_other_kid[] =
	"eyJhbGciOiJFUzI1NiIsImtpZCI6Inp6eiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiL"
	"CJhdWQiOiJpbWFwIiwiZXhwIjo0MTAyNDQ0ODAwLCJzdWIiOiJqb2UiLCJlbWFpbCI6IkpvZUBFeGFtcGxlLmNvbSI"
	"sInNjb3BlIjoib3BlbmlkIGltYXAifQ.UT1xhhWg_7T6TJIvEut7seN-4r8tABc7vPSwgDCkc7OC38r0jUPLzeVGv-"
	"PLLykrd2N8rlMdM_sZ-lLjjxz20Q";
/* The public key as the secret of HS256: what a careless library takes. */
static const char vector_hs256[] =
	"eyJhbGciOiAiSFMyNTYiLCAia2lkIjogInIifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJ"
	"pbWFwIiwgImV4cCI6IDQxMDI0NDQ4MDAsICJzdWIiOiAiam9lIiwgImVtYWlsIjogIkpvZUBFeGFtcGxlLmNvbSIsI"
	"CJzY29wZSI6ICJvcGVuaWQgaW1hcCJ9.be3ysZIwKr8pEMii5dLf0u2jAKofSNvI2UbNz6RAEhQ";
static const char vector_none[] =
	"eyJhbGciOiAibm9uZSJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJpbWFwIiwgImV4cCI6I"
	"DQxMDI0NDQ4MDAsICJzdWIiOiAiam9lIiwgImVtYWlsIjogIkpvZUBFeGFtcGxlLmNvbSIsICJzY29wZSI6ICJvcGV"
	"uaWQgaW1hcCJ9.";
static const char vector_none_signed[] =
	"eyJhbGciOiAibm9uZSJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJpbWFwIiwgImV4cCI6I"
	"DQxMDI0NDQ4MDAsICJzdWIiOiAiam9lIiwgImVtYWlsIjogIkpvZUBFeGFtcGxlLmNvbSIsICJzY29wZSI6ICJvcGV"
	"uaWQgaW1hcCJ9.AAAA";
static const char vector_crit[] =
	"eyJhbGciOiJFUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il0sImtpZCI6ImUiLCJ0eXAiOiJKV1QifQ..Vp"
	"D6ffj49o_BT2b78O8sVyZBqyZ_ANbMLMo6cpWm3sTjalLdSEoM6nkHFfij6hEvoFRkbV1OpaRXHwOSeiIEOQ";
